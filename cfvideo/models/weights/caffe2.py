"""VMZ's Caffe2 models: pickles of blobs, read without executing them. Source: ig65m `ig65m/cli/convert.py`.

Blocks are numbered through all stages; the first block of res3, res4 and res5 has a shortcut with weights, so the
numbers of the shortcuts are where stages begin. `_riv` holds the variance itself, whatever its name says.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

from cfvideo.core.foreign.containers import Checkpoint
from cfvideo.core.foreign.imports import Imported
from cfvideo.core.foreign.names import below, prefix_before
from cfvideo.models.weights.torchvision import architecture_of, view_of

NORM = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_STEM = {"conv1_middle_w": "stem.0.weight", "conv1_w": "stem.3.weight"}
_STEM_NORMS = {"conv1_middle_spatbn_relu": "stem.1", "conv1_spatbn_relu": "stem.4"}
_BLOCK = re.compile(r"comp_(?P<block>\d+)_(?P<kind>conv|spatbn)_(?P<conv>[12])(?P<middle>_middle)?"
                    r"_(?P<what>w|s|b|rm|riv)")
_SHORTCUT = re.compile(r"shortcut_projection_(?P<block>\d+)(?P<norm>_spatbn)?_(?P<what>w|s|b|rm|riv)")
_HEAD = re.compile(r"last_out_L\d+_(?P<what>[wb])")
_NETWORK = re.compile(r"comp_|conv1_|shortcut_|last_out_")  # the rest is the solver's: lr, iterations, momentum


def read_caffe2(checkpoint: Checkpoint) -> Imported | None:
    """R(2+1)D-18, -34 or of any basic blocks and widths; None for other checkpoints."""
    prefix = prefix_before(checkpoint.tensors, "conv1_middle_w")
    if prefix is None:
        return None
    blobs, left_out = below(checkpoint.tensors, prefix)
    used = [name for name in blobs if _NETWORK.match(name) and not name.endswith("_momentum")]
    starts = [0, *sorted({int(found["block"]) for name in used if (found := _SHORTCUT.fullmatch(name))} - {0})]
    tensors = {our_name(name, starts): blobs[name] for name in used}
    architecture = architecture_of(tensors)
    return Imported("VMZ (Caffe2)", architecture, view_of(checkpoint.path.name, architecture), tensors,
                    [*left_out, *(name for name in blobs if name not in used)])


def our_name(name: str, starts: Iterable[int]) -> str:
    """A blob's name among ours; unchanged where it has none, so that it shows as unexpected.

    starts: number of the first block of each stage.
    """
    if name in _STEM:
        return _STEM[name]
    if found := _HEAD.fullmatch(name):
        return "fc.weight" if found["what"] == "w" else "fc.bias"
    if found := _BLOCK.fullmatch(name):
        inner = _in_convolution(found)
        return name if inner is None else f"{_place(int(found['block']), starts)}.conv{found['conv']}.{inner}"
    if found := _SHORTCUT.fullmatch(name):
        inner = f"1.{NORM[found['what']]}" if found["norm"] else "0.weight"
        return f"{_place(int(found['block']), starts)}.downsample.{inner}"
    stem, _, what = name.rpartition("_")
    return f"{_STEM_NORMS[stem]}.{NORM[what]}" if stem in _STEM_NORMS and what in NORM else name


def _in_convolution(found: re.Match[str]) -> str | None:
    """Place of a blob inside a factorised convolution: spatial 0.0, its norm 0.1, temporal 0.3, its norm 1."""
    if found["kind"] == "conv":
        return ("0.0.weight" if found["middle"] else "0.3.weight") if found["what"] == "w" else None
    return None if found["what"] == "w" else f"{'0.1' if found['middle'] else '1'}.{NORM[found['what']]}"


def _place(block: int, starts: Iterable[int]) -> str:
    starts = list(starts)
    stage = bisect_right(starts, block)
    return f"layer{stage}.{block - starts[stage - 1]}"
