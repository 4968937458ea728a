"""PASCAL VOC's image lists: several labels per image, and what is too difficult to judge.

`ImageSets/Main/trainval.txt` lists the images; `aeroplane_trainval.txt` and its like say of each class 1 (there), -1
(not there) or 0 (there, but only in difficult objects). A 0 is no label, which makes the image one of the negatives in
training, and goes into `Index.ignored`, so that a test counts it neither way (the development kit's rule).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.formats.list_files import Where, lines_of
from cfvideo.core.formats.source import Names, Source
from cfvideo.core.index import Index

_ABSENT, _DIFFICULT, _PRESENT = b"-1", b"0", b"1"


def read_voc(source: Source) -> Index:
    """`VOC2007/ImageSets/Main/trainval.txt` or test.txt: images are `JPEGImages/{id}.jpg` below VOC2007, or root."""
    names = source.label_names if source.label_names is not None else _classes(source.path)
    listed = _images(source.path)
    labels: dict[bytes, list[int]] = {image: [] for image in listed}
    difficult: list[tuple[bytes, int]] = []
    for label, name in enumerate(names):
        for image, verdict in _verdicts(source.path.with_name(f"{name}_{source.path.name}"), listed):
            if verdict == _PRESENT:
                labels[image].append(label)
            elif verdict == _DIFFICULT:
                difficult.append((image, label))
    beside = source.path.absolute().parent.parent.parent
    rows = source.rows(beside if source.root is None else source.root)
    for image, where in listed.items():
        rows.add(where, b"JPEGImages/" + image + b".jpg", labels[image])
    row_of = {image: row for row, image in enumerate(listed)}
    pairs = np.array([(row_of[image], label) for image, label in difficult], np.int64).reshape(-1, 2)
    return dataclasses.replace(rows.index(names), ignored=pairs)


def _classes(path: Path) -> Names:
    """The classes that the folder has lists of, in alphabetical order."""
    ending = f"_{path.name}"
    names = tuple(file.name.removesuffix(ending) for file in sorted(path.parent.glob(f"*{ending}")))
    if not names:
        raise DataError(f"{path}: no list of a class (aeroplane{ending}, ...) lies beside it")
    return names


def _images(path: Path) -> dict[bytes, Where]:
    """The images of a split, and where each is listed."""
    found: dict[bytes, Where] = {}
    for where, image in lines_of(path):
        first = found.setdefault(image, where)
        if first is not where:
            raise DataError(f"{where}: {printable(image)} is listed twice, first in {first}")
    return found


def _verdicts(path: Path, images: Mapping[bytes, Where]) -> Iterator[tuple[bytes, bytes]]:
    """(image, -1 | 0 | 1) of one class. Raises DataError where it speaks of other images than the split has."""
    seen: set[bytes] = set()
    for where, line in lines_of(path):
        image, _, verdict = line.partition(b" ")
        verdict = verdict.strip().removeprefix(b"+")
        if image not in images or image in seen or verdict not in (_ABSENT, _DIFFICULT, _PRESENT):
            raise DataError(f"{where}: expected 'image -1', 'image 0' or 'image 1', each image of the split once; got "
                            f"{printable(line)!r}")
        seen.add(image)
        yield image, verdict
    if len(seen) < len(images):
        raise DataError(f"{path}: says nothing of {len(images) - len(seen)} of the split's {len(images)} images")
