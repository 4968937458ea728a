"""Measure what the README claims, on this machine.

    python tools/bench.py decode                            # ratios to other decoders, about five minutes
    python tools/bench.py decode --json decode.json --rounds 10

`decode` makes its videos (once; `--folder` keeps them), binds itself to one core, runs all methods on the same clips
in random order and prints ratios of times paired within each round. Exit codes: 0 done, 2 the command line is wrong, 3
the videos cannot be made.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cfvideo.bench.decode import GROUPS, measure, one_core, summary
from cfvideo.bench.sources import SOURCES, shortened
from cfvideo.core.durable import write_json
from cfvideo.core.errors import ConfigError, exit_code_of


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    decode = commands.add_parser("decode", help="clips out of videos, on one core")
    decode.add_argument("--json", type=Path, help="write the figures to this file")
    decode.add_argument("--rounds", type=int, default=7, help="times each method runs on each video (%(default)s)")
    decode.add_argument("--folder", type=Path, help="keep the videos here (default: a temporary folder)")
    decode.add_argument("--frames", type=int, help="shorter, smaller videos of this many frames, to try it out")
    return parser.parse_args(argv)


def decode(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    if arguments.rounds < 1 or (arguments.frames is not None and arguments.frames < 1):
        raise ConfigError(f"--rounds {arguments.rounds}, --frames {arguments.frames}: both are 1 or more")
    sources = SOURCES if arguments.frames is None else tuple(shortened(one, arguments.frames) for one in SOURCES)
    one_core()
    with tempfile.TemporaryDirectory() as temporary, console.status("") as status:
        timings = measure(sources, arguments.folder or Path(temporary), num_rounds=arguments.rounds,
                          progress=status.update)
    return summary(timings, arguments.rounds)


def print_ratios(result: dict[str, Any], console: Console) -> None:
    table = Table("", *GROUPS, "mean", title="time of others / ours; over_floor: ours / decoding alone")
    for key, groups in result["groups"].items():
        cells = [f"{groups[group]:.2f}" if group in groups else "-" for group in GROUPS]
        mean = result[key]
        table.add_row(key, *cells, "-" if mean is None else f"{mean:.2f}")
    console.print(table)
    for key, reason in result["reasons"].items():
        console.print(f"{key}: not measured: {reason}", highlight=False, markup=False, soft_wrap=True)


def bench(arguments: argparse.Namespace, console: Console) -> None:
    result = decode(arguments, console)
    if arguments.json is not None:
        write_json(arguments.json, result)
    print_ratios(result, console)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    return exit_code_of(lambda: bench(arguments, Console()))


if __name__ == "__main__":
    sys.exit(main())
