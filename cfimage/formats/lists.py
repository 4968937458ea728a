"""Lists that only images come with: class names as labels, several labels, Places365's."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.formats.list_files import Where, lines_of, text_of
from cfvideo.core.formats.lists import path_and_rest, read_path_name
from cfvideo.core.formats.source import NamedLabels, Names, NumberedLabels, Source, is_number, names_in
from cfvideo.core.index import Index
from cfvideo.core.index_columns import ids_of

# ImageNet's localisation challenge (LOC_val_solution.csv): names without extension; classes with boxes behind them.
_SOLUTION_HEADER = b"ImageId,PredictionString"
_CATEGORIES = "categories_places365.txt"


def read_path_name_or_solution(source: Source) -> Index:
    """`path class`, or the solution file of ImageNet's localisation challenge, whose images are `{ImageId}.JPEG`."""
    first = next((line for _, line in lines_of(source.path)), b"")
    if first != _SOLUTION_HEADER:
        return read_path_name(source)
    labels, rows = NamedLabels(source.label_names), source.rows()
    for where, line in islice(lines_of(source.path), 1, None):
        image, _, classes = line.partition(b",")
        name, *_ = classes.split() or [b""]
        if not name:
            raise DataError(f"{where}: the class is missing: {printable(line)!r}; expected 'image,class box'")
        rows.add(where, image + b".JPEG", [labels.id_of(where, text_of(where, name))])
    return rows.index(labels.names(), new_ids=labels.new_ids())


def read_path_labels(source: Source) -> Index:
    """`path label[ label ...]`, several labels per image; `labels.txt` beside the list names them, if it is there."""
    names = source.label_names if source.label_names is not None else names_in(source.path.parent / "labels.txt")
    labels, rows = NumberedLabels(names), source.rows()
    for where, line in lines_of(source.path):
        path, rest = path_and_rest(line, source.kind)
        numbers = rest.replace(b",", b" ").split()
        if not numbers:
            raise DataError(f"{where}: the label is missing: {printable(line)!r}; expected 'path label[ label ...]'")
        rows.add(where, path, [labels.id_of(where, number) for number in numbers])
    return rows.index(labels.names())


def read_places365(source: Source) -> Index:
    """`/a/airfield/00000001.jpg 0`: the leading slash stands for the root. The test list has no labels."""
    names = source.label_names if source.label_names is not None else _categories(source.path.parent / _CATEGORIES)
    labels, rows = NumberedLabels(names), source.rows()
    for where, line in lines_of(source.path):
        path, number = path_and_rest(line, source.kind)
        rows.add(where, path.removeprefix(b"/"), [labels.id_of(where, number)] if number else [])
    return rows.index(labels.names())


def _categories(file: Path) -> Names | None:
    """`/a/airfield 0`, `/a/apartment_building/outdoor 8`, ... -> names by number, without their letter's folder."""
    if not file.exists():
        return None
    names: list[str] = []
    for where, line in lines_of(file):
        name, number = _category(where, line)
        if number != len(names):
            raise DataError(f"{where}: category {number} stands where {len(names)} is due")
        names.append(name)
    ids_of(names, str(file))
    return tuple(names)


def _category(where: Where, line: bytes) -> tuple[str, int]:
    name, _, number = line.rpartition(b" ")
    if not re.match(rb"/./.", name) or not is_number(number):
        raise DataError(f"{where}: expected '/letter/category number', got {printable(line)!r}")
    return text_of(where, name[3:]), int(number)
