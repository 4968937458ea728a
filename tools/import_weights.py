#!/usr/bin/env python3
"""Turn other people's weights into a network file of ours, to stand in for N_pre.

    python tools/import_weights.py r2plus1d_34_clip32_ig65m_from_scratch-449a7af9.pth --out weights/ig65m
    python tools/run_net.py --cfg configs/ig_verb.yaml N_PRE.WEIGHTS weights/ig65m

Reads R(2+1)D-18/-34 of torchvision, ig65m-pytorch and VMZ (PyTorch, Caffe2 pickles), PyTorchVideo's X3D, Slow, CSN and
R(2+1)D-50, and ResNet-18/-50 of torchvision, timm, VISSL, MoCo and FAIR's Caffe2; torch files, safetensors and pickles
of arrays. Whose it is is found out; every tensor of the network must be there in its shape, or nothing is written. No
code in a file is ever run. What the network expects to be fed (frames, crop, mean, deviation) is written with it and
used; the options below correct it where a file's maker did otherwise.

Exit codes: 0 done, 2 the command line is wrong, 6 the file cannot be read, recognised or used, with the names.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from cfimage.weights import IMAGE_WEIGHTS
from cfvideo.core.errors import ConfigError, exit_code_of
from cfvideo.core.foreign.containers import read_checkpoint
from cfvideo.core.foreign.imports import Asked, import_weights, listing
from cfvideo.core.network_file import FILE_NAME
from cfvideo.core.specs import GEOMETRY
from cfvideo.models.weights import VIDEO_WEIGHTS

SIDES = (VIDEO_WEIGHTS, IMAGE_WEIGHTS)
VIEW = {**dict.fromkeys(GEOMETRY["video"], (int, 1)), **dict.fromkeys(("mean", "std"), (float, 3))}


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="FILE", help="somebody's checkpoint")
    parser.add_argument("--out", type=Path, metavar="PLACE", help=f"new folder for {FILE_NAME}, or a .safetensors file")
    parser.add_argument("--list", action="store_true",
                        help="say what is in the file and whether it fits, and write nothing")
    parser.add_argument("--arch", default="", help="the network that it must be (default: what it is found to be)")
    parser.add_argument("--num-classes", type=int, metavar="K", help="the classes that it must have")
    parser.add_argument("--bn-eps", type=float, help="epsilon of its batch norms")
    for name, (kind, number) in VIEW.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, nargs=number if number > 1 else None,
                            help="what it is fed: CLIP of a config" if number == 1 else "of red, green, blue in [0, 1]")
    return parser.parse_args(argv)


def import_file(given: argparse.Namespace, console: Console) -> None:
    if given.list == (given.out is not None):
        raise ConfigError("give either --out, where the network is to go, or --list")
    view = {name: getattr(given, name) for name in VIEW if getattr(given, name) is not None}
    asked = Asked(given.arch, given.num_classes, given.bn_eps, view)
    checkpoint = read_checkpoint(given.source)
    if given.list:
        lines = listing(checkpoint, SIDES, asked)
    else:
        out = given.out if given.out.suffix == ".safetensors" else given.out / FILE_NAME
        lines = import_weights(checkpoint, SIDES, out, asked)
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    given = parse_arguments(argv)
    return exit_code_of(lambda: import_file(given, Console()))


if __name__ == "__main__":
    sys.exit(main())
