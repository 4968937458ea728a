#!/usr/bin/env python3
"""Write a network for other people: safetensors under public names, a JSON that says how it is fed, a model card.

    python tools/export_weights.py runs/demo --network n_cf --out exported/n_cf
    python tools/export_weights.py runs/demo/stages/train_cf/1a2b3c4d5e6f --trunk-only --out exported/trunk

SOURCE is an OUTPUT_DIR (with --network and --seed), the folder of a finished stage, or a weights.safetensors. Names are
torchvision's, which for ResNets are timm's too, and PyTorchVideo's for its networks: all are what ours are called, so
there is nothing to choose. tools/import_weights.py reads the result back as it was. Of a network that learned a pretext
task (rotnet, jigsaw) the trunk is written: its head has no classes of anybody's data.

Exit codes: 0 done, 2 the command line is wrong or there is no such network, 6 a file is damaged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from cfimage.weights import IMAGE_WEIGHTS
from cfvideo.core.errors import exit_code_of
from cfvideo.core.foreign.exports import export_network
from cfvideo.core.foreign.finished import network_file_in
from cfvideo.models.weights import VIDEO_WEIGHTS


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="OUTPUT_DIR, stage folder or weights.safetensors")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new folder for the three files")
    parser.add_argument("--network", default="n_cf", help="of an OUTPUT_DIR: n_pre, n_cf, untrained, or another of its "
                        "networks (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of an OUTPUT_DIR (default: %(default)s)")
    parser.add_argument("--trunk-only", action="store_true", help="leave the classifier out")
    return parser.parse_args(argv)


def export(given: argparse.Namespace, console: Console) -> None:
    source = network_file_in(given.source, given.network, given.seed)
    for line in export_network(source, given.out, (VIDEO_WEIGHTS, IMAGE_WEIGHTS), with_head=not given.trunk_only):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    given = parse_arguments(argv)
    return exit_code_of(lambda: export(given, Console()))


if __name__ == "__main__":
    sys.exit(main())
