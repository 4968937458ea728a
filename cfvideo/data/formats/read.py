"""`read_index`: one name per format, one reader behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.core.index_builder import Progress, no_progress, without_rare_labels
from cfvideo.data.formats.folders import read_folder, read_kinetics
from cfvideo.data.formats.index_file import read_index_file
from cfvideo.data.formats.kinetics_csv import read_kinetics_csv
from cfvideo.data.formats.lists import read_mmaction2, read_mmaction2_offset, read_path_label
from cfvideo.data.formats.something import read_sthsth_v1, read_sthsth_v2
from cfvideo.data.formats.source import Names, Source
from cfvideo.data.formats.sports1m import read_sports1m
from cfvideo.data.formats.tar_shards import read_tar
from cfvideo.data.formats.weak_labels import read_weak_labels

FORMATS: dict[str, Callable[[Source], Index]] = {
    "kinetics": read_kinetics,
    "kinetics_csv": read_kinetics_csv,
    "sports1m": read_sports1m,
    "sthsth_v1": read_sthsth_v1,
    "sthsth_v2": read_sthsth_v2,
    "path_label": read_path_label,
    "mmaction2": read_mmaction2,
    "mmaction2_offset": read_mmaction2_offset,
    "folder": read_folder,
    "weak_labels": read_weak_labels,
    "tar": read_tar,
    "index": read_index_file,
}


def read_index(*, format: str, path: Path, root: Path | None = None, min_rows_per_label: int = 1,
               label_names: Names | None = None, progress: Progress = no_progress) -> Index:
    """Read a data set.

    Args:
        format: a key of FORMATS.
        path: the folder (kinetics, folder, tar), the shards (tar) or the list file.
        root: the folder that the list's paths start from; None: the list's own.
        min_rows_per_label: labels with fewer rows are dropped; not where `label_names` fixes them.
        label_names: label space to read the labels in (the training split's, for a test split).
        progress: called now and then with the number of rows read.

    Raises:
        DataError: missing or empty, or a line that is not what the format says, or a label outside `label_names`.
        IntegrityError: an index file that is damaged.
    """
    if format not in FORMATS:
        raise DataError(f"unknown format {format!r}; allowed: {', '.join(FORMATS)}")
    path = Path(path)
    index = FORMATS[format](Source(path, None if root is None else Path(root), label_names, progress))
    if index.num_rows == 0:
        raise DataError(f"{path}: holds no samples; check the path and the format ({format})")
    return index if label_names is not None else without_rare_labels(index, min_rows_per_label)
