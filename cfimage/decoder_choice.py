"""Which decoder a word of DATA.DECODER means for images: pillow, dali_gpu or dali_cpu.

`auto` is dali_gpu where the networks run on a GPU and DALI is installed, else pillow; scaling differs between them by a
grey level, so a run that moves between such machines names its decoder.
"""

from __future__ import annotations

from cfvideo.core import dali_library
from cfvideo.core.errors import ConfigError

DECODERS = ("auto", "pillow", "dali")
RESOLVED = ("pillow", "dali_gpu", "dali_cpu")


def resolved_decoder(decoder: str, device_type: str) -> str:
    """A word of DATA.DECODER, or a resolved name -> a resolved name whose package is there.

    device_type: cuda or cpu, where the networks run.

    Raises:
        ConfigError: the word is none for images, or DALI is not installed.
    """
    if decoder not in DECODERS + RESOLVED:
        raise ConfigError(f"DATA.DECODER = {decoder!r} decodes no images; allowed: {', '.join(DECODERS)}")
    if decoder == "auto":
        return "dali_gpu" if device_type == "cuda" and dali_library.is_installed() else "pillow"
    return dali_library.resolved(decoder, device_type) if decoder.startswith("dali") else decoder
