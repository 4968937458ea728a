"""Lists of paths with their labels, as SlowFast, PyTorchVideo, Places205 and many others write them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.formats.list_files import Where, lines_of, text_of
from cfvideo.core.formats.media_kind import MediaKind
from cfvideo.core.formats.source import NamedLabels, NumberedLabels, Source, is_number
from cfvideo.core.index import Index

_NUMBER_BEHIND_COMMA = re.compile(rb",[ \t]*-?\d+$")
BLANKS = re.compile(rb"[ \t]+")
_COMMA = re.compile(rb"[ \t]*,[ \t]*")
HEADERS = "; a header is no row: delete it"


class _Form(NamedTuple):
    """What the first line of a list decides for all: the separator (None: blanks), and whether there are labels."""

    separator: bytes | None
    labelled: bool


def read_path_label(source: Source) -> Index:
    """`path label`, `path,label`, or SlowFast's `path num_frames label`, where there are frames; a list without any
    labels is unlabelled.

    The last separator counts, so that paths may hold blanks and commas.
    """
    labels, rows, form, kind = NumberedLabels(source.label_names), source.rows(), None, source.kind
    for where, line in lines_of(source.path):
        if form is None:
            form = _Form(b"," if _NUMBER_BEHIND_COMMA.search(line) else None, not kind.has_name(line))
        path, label = _path_and_label(where, line, form, kind)
        rows.add(where, path, [] if label is None else [labels.id_of(where, label)])
    return rows.index(labels.names())


def _path_and_label(where: Where, line: bytes, form: _Form, kind: MediaKind) -> tuple[bytes, bytes | None]:
    path, *label = (part.strip() for part in line.rsplit(form.separator, 1))
    has_label = bool(label) and not kind.has_name(line)
    if not has_label and not form.labelled:
        return line, None
    if not has_label or not form.labelled:
        raise DataError(f"{where}: the label is missing, here or in the first line: {printable(line)!r}; expected "
                        f"'path label' or 'path,label' in every line, or paths alone in every line; labels by name are "
                        f"FORMAT path_name{HEADERS}")
    before, *middle = (part.strip() for part in path.rsplit(form.separator, 1))
    has_number = bool(middle) and is_number(middle[0]) and kind.has_name(before)
    if has_number and kind.frames_bytes is not None:
        path = before  # SlowFast's three columns
    elif has_number or (form.separator and kind.has_name(path.rpartition(b" ")[0])):
        raise DataError(f"{where}: several labels: {printable(line)!r}; this format takes one label per {kind.noun}, "
                        "others take several")
    return path, label[0]


def read_path_name(source: Source) -> Index:
    """`path class` or `path,class`: labels by name, which may hold blanks (many a CSV; the map of ImageNet's flat
    validation folder)."""
    labels, rows, kind = NamedLabels(source.label_names), source.rows(), source.kind
    for where, line in lines_of(source.path):
        path, name = path_and_rest(line, kind, separators=(_COMMA, BLANKS))
        if not name:
            raise DataError(f"{where}: the class is missing: {printable(line)!r}; expected 'path class' or 'path,class'"
                            f"{HEADERS}")
        if not len(rows) and not kind.has_name(path) and not (source.folder / os.fsdecode(path)).is_dir():
            raise DataError(f"{where}: {printable(path)!r} is no {kind.noun} by its name, and no folder{HEADERS}")
        rows.add(where, path, [labels.id_of(where, text_of(where, name))])
    return rows.index(labels.names(), new_ids=labels.new_ids())


def path_and_rest(line: bytes, kind: MediaKind, *, separators: Sequence[re.Pattern[bytes]] = (BLANKS,),
                  ) -> tuple[bytes, bytes]:
    """The path and what stands behind it. A path that ends as a sample's name does may hold separators, others end at
    the first one of the first kind that the line has."""
    for gap in (gap for separator in separators for gap in separator.finditer(line)):
        if kind.has_name(line[:gap.start()]):
            return line[:gap.start()], line[gap.end():]
    if kind.has_name(line):
        return line, b""
    first = next(filter(None, (separator.search(line) for separator in separators)), None)
    return (line, b"") if first is None else (line[:first.start()], line[first.end():])
