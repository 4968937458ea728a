#!/usr/bin/env python3
"""Probe every video of a data set: which rows can be read, and what they are.

    tools/check_data.py --data kinetics:/data/kinetics/train
    tools/check_data.py --data sports1m:/data/sports1m/train.txt --root /data/sports1m/videos --decode 6
    tools/check_data.py --cfg configs/demo.yaml --decode all

Writes one Parquet per data set below --out, which DATA.STATUS of a run takes: rows found unreadable are then invalid
without being opened again. The same command resumes after an interruption.

Exit codes: 0 done, 2 command line or config, 3 data missing or more rows not ok than --max-bad-share, 5 interrupted
(the same command resumes), 6 a status file is damaged.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from cfvideo.core.errors import ConfigError, DataError, exit_code_of
from cfvideo.core.index import Index
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.lock import output_lock
from cfvideo.core.records import Reading
from cfvideo.core.screen import Screen
from cfvideo.data.check import Check, finished, run_check
from cfvideo.data.check_summary import STATUSES, Summary, summarise
from cfvideo.data.formats import read_index
from cfvideo.data.health import ALL_FRAMES


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", metavar="FORMAT:PATH", help="one data set, as D_CF.FORMAT and D_CF.PATH name it")
    what.add_argument("--cfg", type=Path, metavar="FILE", help="every data set of a config")
    parser.add_argument("--root", type=Path, help="with --data: folder that the list's paths start from")
    parser.add_argument("--out", type=Path, default=Path("runs/check_data"), metavar="FOLDER",
                        help="where the Parquets go (default: %(default)s)")
    parser.add_argument("--decode", default="0", metavar="N|all", help="frames decoded per file besides the scan: "
                        "0: the first (default), N: so many from first to last, all: every frame")
    parser.add_argument("--min-frames", type=int, default=1, metavar="N", help="shorter videos count as short")
    parser.add_argument("--max-bad-share", type=float, default=0.05, metavar="SHARE",
                        help="exit 3 where a larger share of rows is not ok (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="per file (default: 60)")
    return parser.parse_args(arguments)


def frames_to_decode(text: str) -> int:
    if text == "all":
        return ALL_FRAMES
    if not text.isdecimal():
        raise ConfigError(f"--decode {text}: a number of frames, or all")
    return int(text)


def indexes(given: argparse.Namespace, screen: Screen) -> Iterator[tuple[str, Index]]:
    """(name, index) of every data set that is asked for, each once."""
    if given.cfg is None:
        form, colon, path = given.data.partition(":")
        if not colon or not path:
            raise ConfigError(f"--data {given.data}: expected FORMAT:PATH, for example kinetics:/data/kinetics/train")
        yield Path(path).stem, read_index(format=form, path=Path(path), root=given.root)
        return
    from cfvideo.core.config import load_run_spec
    from cfvideo.core.datasets import open_datasets
    from cfvideo.modality import VIDEO

    if given.root is not None:
        raise ConfigError("--root belongs to --data; a config names its roots itself")
    data = open_datasets(load_run_spec([given.cfg], ["DATA.STATUS", ""]), VIDEO, screen)
    data.require()
    seen: set[str] = set()
    for name, index in data.indexes().items():
        if index.content_hash not in seen:
            seen.add(index.content_hash)
            yield name, index


def check_one(name: str, index: Index, given: argparse.Namespace, screen: Screen, stop: StopRequest) -> Summary:
    reading = Reading(workers=given.workers, timeout_seconds=given.timeout)
    check = Check(index, frames_to_decode(given.decode), given.min_frames, reading)
    file = given.out / f"{name.lower().replace(' ', '_')}.parquet"
    if finished(check, file):
        screen.say(f"{name}: checked before, {file} is re-used; delete it to check again")
    else:
        with screen.task(name, index.num_rows, "rows") as task:
            run_check(check, file, task=task, stop=stop)
    summary = summarise(file)
    screen.console.print(table_of(name, summary))
    screen.say(f"{file} ({describe(summary)})")
    return summary


def table_of(name: str, summary: Summary) -> Table:
    table = Table("status", "rows", "share", "first", title=name, title_justify="left")
    for status in STATUSES:
        if num := summary.statuses[status]:
            share = f"{100 * num / summary.num_rows:.2f} %"
            table.add_row(status, f"{num:,}", share, summary.examples.get(status, "").replace("[", r"\["))
    return table


def describe(summary: Summary) -> str:
    kinds = ", ".join(f"{num:,} {codec} in {box.split(',')[0]}" for (codec, box), num in summary.kinds.most_common(5))
    sizes = ", ".join(f"{width} x {height}" for (width, height), _ in summary.sizes.most_common(3))
    return (f"{summary.num_bytes / 1e9:.3f} GB, {summary.num_frames:,} frames; {kinds or 'nothing readable'}; mostly "
            f"{sizes or '-'}; {summary.num_variable_rate:,} of variable frame rate, {summary.num_turned:,} turned, "
            f"{summary.num_counted:,} had to be counted by decoding")


def check_data(given: argparse.Namespace, screen: Screen) -> None:
    if not 0 <= given.max_bad_share <= 1 or given.workers < 1 or given.timeout <= 0 or given.min_frames < 1:
        raise ConfigError("--max-bad-share lies in [0, 1], --workers and --min-frames are 1 or more, --timeout above 0")
    frames_to_decode(given.decode)
    stop = StopRequest()
    stop.install()
    with output_lock(given.out):
        shares = {name: check_one(name, index, given, screen, stop).bad_share
                  for name, index in indexes(given, screen)}
    bad = [f"{name}: {100 * share:.2f} % of the rows are not ok" for name, share in shares.items()
           if share > given.max_bad_share]
    if bad:
        raise DataError("; ".join(bad) + f"; more than --max-bad-share {given.max_bad_share} allows")


def main(arguments: list[str]) -> int:
    given = parse(arguments)
    return exit_code_of(lambda: check_data(given, Screen()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
