#!/usr/bin/env python3
"""Read a data set once and freeze it as an index: one file that every later run memory-maps.

    python tools/build_index.py --format kinetics_csv --path k400/train.csv --root k400/train --out k400_train.arrow
    python tools/build_index.py --format sthsth_v2 --path something-something-v2-validation.json \\
        --labels train.arrow --out validation.arrow
    python tools/build_index.py --modality image --format imagenet --path imagenet/train --out imagenet_train.arrow

Rows, labels, missing files, bytes and the content hash are printed, and the config lines that use the index. Files that
are missing stay rows. cfvideo/data/formats/README.md and cfimage/formats/README.md show the true form of every format.

Exit codes: 0 done, 2 the command line is wrong or the output cannot be written, 3 the data is missing, empty or not
what its format says (file and line are named), 5 interrupted (nothing is left behind), 6 an index is damaged.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.progress import Progress, TextColumn, TimeElapsedColumn

from cfvideo.core.durable import TMP_SUFFIX
from cfvideo.core.errors import ConfigError, exit_code_of
from cfvideo.core.formats.index_file import names_from, write_parquet
from cfvideo.core.index import Index
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.screen import Screen
from cfvideo.core.specs import FORMATS


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modality", choices=("video", "image"), default="video", help="what it holds "
                        "(default: %(default)s)")
    parser.add_argument("--format", required=True, choices=FORMATS, help="how the data set lies on disk")
    parser.add_argument("--path", required=True, type=Path, help="folder, shards or list file")
    parser.add_argument("--root", type=Path, help="folder that the list's paths start from (default: the list's own)")
    parser.add_argument("--min-rows-per-label", type=int, default=1, metavar="N",
                        help="drop labels with fewer rows (paper: 50; default: %(default)s)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="label space: names, one per line, or the training "
                        "split's index (.arrow); no label is dropped then")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.arrow", help="the index to write")
    parser.add_argument("--parquet", type=Path, metavar="FILE.parquet", help="write the same columns as Parquet too")
    return parser.parse_args(argv)


def build(given: argparse.Namespace, screen: Screen) -> None:
    if given.min_rows_per_label < 1:
        raise ConfigError(f"--min-rows-per-label {given.min_rows_per_label}: at least 1 row")
    if given.out.suffix != ".arrow":
        raise ConfigError(f"--out {given.out}: give a file name that ends in .arrow")
    stop = StopRequest()
    stop.install()
    columns = TextColumn("reading"), TextColumn("{task.completed:,} rows"), TimeElapsedColumn()
    with Progress(*columns, console=screen.console) as bar:
        task = bar.add_task("", total=None)

        def progress(num_rows: int) -> None:
            stop.check()
            bar.update(task, completed=num_rows)

        index = reader(given.modality)(format=given.format, path=given.path, root=given.root, progress=progress,
                           min_rows_per_label=given.min_rows_per_label,
                           label_names=names_from(given.labels) if given.labels else None)
        bar.update(task, completed=index.num_rows)
    stop.check()
    write(given, index)
    for line in summary(given, index):
        screen.say(line)


def reader(modality: str) -> Callable[..., Index]:
    if modality == "image":
        from cfimage.formats import read_index as of_images
        return of_images
    from cfvideo.data.formats import read_index as of_videos
    return of_videos


def write(given: argparse.Namespace, index: Index) -> None:
    """Whole files under their final names, or none."""
    for file, save in ((given.out, index.save), (given.parquet, lambda path: write_parquet(index, path))):
        if file is None:
            continue
        tmp = file.with_name(file.name + TMP_SUFFIX)
        try:
            save(tmp)
            tmp.replace(file)
        except OSError as error:
            tmp.unlink(missing_ok=True)
            raise ConfigError(f"{file}: cannot be written ({error.strerror}); give another file") from error


def summary(given: argparse.Namespace, index: Index) -> list[str]:
    unlabelled = index.num_rows - index.num_labelled
    return [f"rows     {index.num_rows:,}, {unlabelled:,} of them without a label",
            f"labels   {len(index.label_names):,}",
            f"missing  {index.num_missing:,}",
            f"bytes    {index.total_bytes:,}",
            f"sha256   {index.content_hash}",
            f"To use it: D_PRE: {{FORMAT: index, PATH: {quoted(given.out)}, ROOT: {quoted(index.root)}}}"]


def quoted(path: Path) -> str:
    """A path as YAML: blanks, colons and braces mean themselves."""
    return json.dumps(os.fspath(path))


def main(argv: Sequence[str] | None = None) -> int:
    given = parse_arguments(argv)
    return exit_code_of(lambda: build(given, Screen()))


if __name__ == "__main__":
    sys.exit(main())
