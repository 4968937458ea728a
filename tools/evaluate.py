#!/usr/bin/env python3
"""Judge one finished network on your data.

    tools/evaluate.py --weights W --data kinetics:/data/kinetics/val
    tools/evaluate.py --weights W --train kinetics:/data/ucf/train --test kinetics:/data/ucf/test
    tools/evaluate.py --weights W --train sports1m:lists/train.txt --test sports1m:lists/test.txt --root videos \\
        PROBE.METHODS "[linear, knn]" PROBE.SOLVER sgd

With --data the network's own classifier is scored; the data's classes must be among its own, by name where the weights
name them, as those of our runs do, or else in their order. With --train and --test a linear classifier, or what
PROBE.METHODS asks for, learns from the network's frozen features of one and is scored on the other; D_TAR.TEST then
holds what a config says of a target: D_TAR.TEST.SQUEEZE true. W is a weights.safetensors of a run, or a folder that
tools/import_weights.py made of other weights.

Writes evaluation.json, classes.csv, confusion.json and confusion.png into --out. The same command resumes after an
interruption, and other questions to the same --out re-use what is there.

Exit codes: 0 done, 2 command line or config, 3 data missing or weights that are none, 4 too many bad samples,
5 interrupted (the same command resumes), 6 a stored file is damaged.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# As in tools/run_net.py: threads that wait leave the cores to the decoders.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from cfvideo.core.errors import exit_code_of
from cfvideo.core.evaluation import Place, Request, evaluate
from cfvideo.core.formats.index_file import names_from
from cfvideo.modalities import modality_named


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, type=Path, metavar="W", help="the network")
    parser.add_argument("--modality", choices=("video", "image"), default="video", help="what W reads (default: "
                        "%(default)s)")
    parser.add_argument("--data", metavar="FORMAT:PATH", help="score the network's own classes on this; formats are "
                        "those of D_PRE.FORMAT")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="with --data: label names in order, one per "
                        "line: of a list's numbers, and of a network whose weights do not name its classes")
    parser.add_argument("--train", metavar="FORMAT:PATH", help="judge the features: what the yardsticks learn from")
    parser.add_argument("--test", metavar="FORMAT:PATH", help="... and what they are scored on")
    parser.add_argument("--root", type=Path, help="folder that the lists' paths start from (default: each list's own)")
    parser.add_argument("--out", type=Path, default=Path("runs/evaluate"), metavar="FOLDER",
                        help="where results and finished stages go (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="config keys: PROBE, D_TAR.TEST, "
                        "EXTRACT.BATCH_SIZE, DATA, SYSTEM, SEEDS")
    return parser.parse_intermixed_args(arguments)


def request_of(given: argparse.Namespace) -> Request:
    places = {name: Place.parse(text, f"--{name}") if text else None
              for name, text in (("data", given.data), ("train", given.train), ("test", given.test))}
    return Request(weights=given.weights, out=given.out, root=given.root, overrides=given.overrides,
                   names=names_from(given.labels) if given.labels else None, **places)


def main(arguments: list[str]) -> int:
    given = parse(arguments)

    return exit_code_of(lambda: evaluate(modality_named(given.modality), request_of(given)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
