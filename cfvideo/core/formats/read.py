"""`read_index`: one name per format, one reader behind it; and the formats that hold any kind of sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cfvideo.core.errors import DataError
from cfvideo.core.formats.folders import read_folder
from cfvideo.core.formats.index_file import read_index_file
from cfvideo.core.formats.lists import read_path_label, read_path_name
from cfvideo.core.formats.media_kind import MediaKind
from cfvideo.core.formats.source import Names, Source
from cfvideo.core.formats.tar_shards import read_tar
from cfvideo.core.formats.weak_labels import read_weak_labels
from cfvideo.core.index import Index
from cfvideo.core.index_builder import Progress, no_progress, without_rare_labels

Formats = Mapping[str, Callable[[Source], Index]]
ANY_KIND: Formats = {
    "path_label": read_path_label,
    "path_name": read_path_name,
    "folder": read_folder,
    "weak_labels": read_weak_labels,
    "tar": read_tar,
    "index": read_index_file,
}


def read_index(formats: Formats, kind: MediaKind, *, format: str, path: Path, root: Path | None = None,
               min_rows_per_label: int = 1, label_names: Names | None = None, progress: Progress = no_progress
               ) -> Index:
    """Read a data set.

    Args:
        formats, kind: what the modality reads.
        format: a key of `formats`.
        path: the folder, the shards or the list file.
        root: the folder that the list's paths start from; None: the list's own.
        min_rows_per_label: labels with fewer rows are dropped; not where `label_names` fixes them.
        label_names: label space to read the labels in (the training split's, for a test split).
        progress: called now and then with the number of rows read.

    Raises:
        DataError: missing or empty, or a line that is not what the format says, or a label outside `label_names`.
        IntegrityError: an index file that is damaged.
    """
    if format not in formats:
        raise DataError(f"unknown format {format!r} of {kind.noun}s; allowed: {', '.join(formats)}")
    path = Path(path)
    index = formats[format](Source(path, kind, None if root is None else Path(root), label_names, progress))
    if index.num_rows == 0:
        raise DataError(f"{path}: holds no samples; check the path and the format ({format})")
    return index if label_names is not None else without_rare_labels(index, min_rows_per_label)
