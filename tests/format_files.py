"""Small data sets on disk, and what an index says of them."""

from __future__ import annotations

from pathlib import Path

from cfvideo.core.index import Index


def touch(root: Path, *names: str) -> None:
    """Files of four bytes."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"1234")


def write_list(folder: Path, content: bytes, name: str = "train.txt") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def names_of(index: Index) -> list[str]:
    return [index.name_of(row) for row in range(index.num_rows)]


def labels_of(index: Index) -> list[list[int]]:
    return [index.labels_of(row).tolist() for row in range(index.num_rows)]


def named_labels_of(index: Index) -> list[list[str]]:
    return [[index.label_names[label] for label in row] for row in labels_of(index)]
