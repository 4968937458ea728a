"""Which decoder a word of DATA.DECODER means on this machine.

The names that reach fingerprints, feature shards and manifests are resolved ones: pyav, decord, torchcodec, dali_gpu or
dali_cpu. `auto` is dali_gpu where the networks run on a GPU and DALI is installed, else pyav; pixels of different
decoders differ by a grey level or two, so a run that moves between such machines names its decoder.
"""

from __future__ import annotations

from cfvideo.core import dali_library
from cfvideo.core.errors import ConfigError
from cfvideo.data.decoders import decord_backend, torchcodec_backend

DECODERS = ("auto", "pyav", "decord", "torchcodec", "dali")
RESOLVED = ("pyav", "decord", "torchcodec", "dali_gpu", "dali_cpu")
_NEEDS_PROCESS = {"decord": decord_backend.NEEDS_PROCESS, "torchcodec": torchcodec_backend.NEEDS_PROCESS}


def resolved_decoder(decoder: str, device_type: str) -> str:
    """A word of DATA.DECODER, or a resolved name -> a resolved name whose package is there.

    device_type: cuda or cpu, where the networks run.

    Raises:
        ConfigError: the word is unknown, or what it names is not installed; the message says how to install it.
    """
    if decoder not in DECODERS + RESOLVED:
        raise ConfigError(f"DATA.DECODER = {decoder!r}; allowed: {', '.join(DECODERS)}")
    if decoder == "auto":
        return "dali_gpu" if device_type == "cuda" and dali_library.is_installed() else "pyav"
    if decoder.startswith("dali"):
        return dali_library.resolved(decoder, device_type)
    if decoder == "decord":
        decord_backend.load()
    elif decoder == "torchcodec":
        torchcodec_backend.load()
    return decoder


def needs_process(decoder: str) -> bool:
    """Whether a decoder may crash or hang, so that it belongs into a process that can be killed."""
    return _NEEDS_PROCESS.get(decoder, False)
