#!/usr/bin/env python3
"""Run one of the paper's ablations: several variants of a config, and one page that compares them.

    tools/ablate.py num_clusters --cfg configs/demo.yaml --seeds 0,1,2 --dry-run
    tools/ablate.py num_labels --cfg configs/demo.yaml --values 2 4 all
    tools/ablate.py label_nature --cfg configs/demo.yaml --lists verbs.txt nouns.txt

The plan and its cost come first; --dry-run stops there. Stages that variants share, with each other or with earlier
runs in the same OUTPUT_DIR, are made once. The page, its table and figures lie in OUTPUT_DIR/ablations/NAME.

NAME is one of:
%s

Exit codes: 0 finished, 2 config or command line, 3 data, 4 too many bad samples, 5 interrupted (the same command
resumes), 6 integrity.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from itertools import takewhile
from pathlib import Path

# As in tools/run_net.py: threads that wait leave the cores to the decoders.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from cfvideo.core.ablation import ABLATIONS, Request, ablate
from cfvideo.core.config import files_and_pairs
from cfvideo.core.errors import ConfigError, exit_code_of
from cfvideo.core.job import command_line
from cfvideo.modalities import modality_named


def described() -> str:
    """A line per ablation."""
    lines = [f"  {name:<33} {(make.__doc__ or '').splitlines()[0]}" for name, make in ABLATIONS.items()]
    return (__doc__ or "") % "\n".join(lines)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=described(), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME", help="which ablation")
    parser.add_argument("--cfg", nargs="+", default=[], metavar="FILE", help="config files, later ones win")
    parser.add_argument("--seeds", default="", metavar="0,1,2", help="instead of the config's SEEDS")
    parser.add_argument("--values", nargs="+", default=[], metavar="V", help="values of what the ablation changes: K, "
                        "numbers of labels (or all), per cent of wrong labels, layers, rounds, rows per centroid (or "
                        "all)")
    parser.add_argument("--clusters", nargs="+", default=[], metavar="K", help="label_noise, layers: numbers of "
                        "clusters")
    parser.add_argument("--lists", nargs="+", default=[], metavar="FILE", help="label_nature: text files of "
                        "label names, one a line")
    parser.add_argument("--dry-run", action="store_true", help="print config, variants, plan and cost; write nothing")
    parser.add_argument("--opts", action="store_true", help="may stand before KEY VALUE pairs")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="config keys to override")
    given = parser.parse_intermixed_args(arguments)
    given.cfg, pairs = files_and_pairs(given.cfg)
    given.overrides = pairs + given.overrides
    # As --cfg, other flags that take several words swallow the pairs behind them.
    for flag in ("values", "clusters", "lists"):
        words = getattr(given, flag)
        own = list(takewhile(lambda word: not is_key(word), words))
        given.overrides = words[len(own):] + given.overrides
        setattr(given, flag, own)
    return given


def is_key(word: str) -> bool:
    """Whether a word begins the KEY VALUE pairs: its first and last part are in capitals, as of no file or value."""
    parts = word.split(".")
    return all(re.fullmatch(r"[A-Z][A-Z0-9_]*", part) for part in (parts[0], parts[-1]))


def seeds_of(text: str) -> list[int]:
    """0,1,2 -> [0, 1, 2]."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isdigit() for word in words):
        raise ConfigError(f"--seeds {text}: give whole numbers with commas between them, --seeds 0,1,2")
    return [int(word) for word in words]


def main(arguments: list[str]) -> int:
    given = parse(arguments)
    command = command_line("tools/ablate.py", arguments)

    def work() -> int:
        request = Request(
            name=given.name, files=given.cfg, command=command, overrides=given.overrides,
            seeds=seeds_of(given.seeds), values=given.values, clusters=given.clusters,
            lists=[Path(word) for word in given.lists], dry_run=given.dry_run)
        return ablate(modality_named(request.spec().modality if request.files else "video"), request)

    return exit_code_of(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
