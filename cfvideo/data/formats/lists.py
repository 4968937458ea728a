"""Lists of other toolboxes: SlowFast and PyTorchVideo (path_label), MMAction2 (mmaction2, mmaction2_offset)."""

from __future__ import annotations

import re
from typing import NamedTuple

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.index import Index
from cfvideo.data.formats.folders import is_video_name
from cfvideo.data.formats.source import NumberedLabels, Source, is_number
from cfvideo.data.list_files import Where, lines_of

_NUMBER_BEHIND_COMMA = re.compile(rb",[ \t]*-?\d+$")
_BLANKS = re.compile(rb"[ \t]+")


class _Form(NamedTuple):
    """What the first line of a list decides for all: the separator (None: blanks), and whether there are labels."""

    separator: bytes | None
    labelled: bool


def read_path_label(source: Source) -> Index:
    """`path label`, `path,label`, or SlowFast's `path num_frames label`; a list without any labels is unlabelled.

    The last separator counts, so that paths may hold blanks and commas.
    """
    labels, rows, form = NumberedLabels(source.label_names), source.rows(), None
    for where, line in lines_of(source.path):
        if form is None:
            form = _Form(b"," if _NUMBER_BEHIND_COMMA.search(line) else None, not is_video_name(line))
        path, label = _path_and_label(where, line, form)
        rows.add(where, path, [] if label is None else [labels.id_of(where, label)])
    return rows.index(labels.names())


def _path_and_label(where: Where, line: bytes, form: _Form) -> tuple[bytes, bytes | None]:
    path, *label = (part.strip() for part in line.rsplit(form.separator, 1))
    has_label = bool(label) and not is_video_name(line)
    if not has_label and not form.labelled:
        return line, None
    if not has_label or not form.labelled:
        raise DataError(f"{where}: the label is missing, here or in the first line: {printable(line)!r}; expected "
                        "'path label' or 'path,label' in every line, or paths alone in every line")
    before, *middle = (part.strip() for part in path.rsplit(form.separator, 1))
    if middle and is_number(middle[0]) and is_video_name(before):
        path = before  # SlowFast's three columns
    elif form.separator and is_video_name(path.rpartition(b" ")[0]):
        raise DataError(f"{where}: several labels: {printable(line)!r}; read such a list as sports1m")
    return path, label[0]


def read_mmaction2(source: Source) -> Index:
    """`path label[ label ...]` for videos, `folder num_frames label[ label ...]` for folders of frames."""
    return _read_mmaction2(source, with_offset=False)


def read_mmaction2_offset(source: Source) -> Index:
    """As mmaction2, but frames are listed as `folder offset num_frames label[ label ...]`: parts of long videos."""
    return _read_mmaction2(source, with_offset=True)


def _read_mmaction2(source: Source, *, with_offset: bool) -> Index:
    labels, rows = NumberedLabels(source.label_names), source.rows(with_parts=True)
    for where, line in lines_of(source.path):
        path, numbers = _split(line)
        offset, length = 0, -1
        if not is_video_name(path):
            offset, length, numbers = _frames(where, line, numbers, with_offset)
        if not numbers:
            raise DataError(f"{where}: the label is missing: {printable(line)!r}")
        rows.add(where, path, [labels.id_of(where, number) for number in numbers], offset=offset, length=length)
    return rows.index(labels.names())


def _split(line: bytes) -> tuple[bytes, list[bytes]]:
    """The path and the words behind it. A video's path may hold blanks, a folder's may not."""
    for blank in _BLANKS.finditer(line):
        if is_video_name(line[:blank.start()]):
            return line[:blank.start()], line[blank.end():].split()
    if is_video_name(line):
        return line, []
    path, *words = line.split()
    return path, words


def _frames(where: Where, line: bytes, words: list[bytes], with_offset: bool) -> tuple[int, int, list[bytes]]:
    """(offset, number of frames, labels) of a folder of frames."""
    numbers, labels = words[:1 + with_offset], words[1 + with_offset:]
    expected = "'folder offset num_frames label ...'" if with_offset else "'folder num_frames label ...'"
    if len(numbers) < 1 + with_offset or not all(map(is_number, numbers)) or int(numbers[-1]) == 0:
        raise DataError(f"{where}: expected {expected} or 'video.mp4 label ...', got {printable(line)!r}")
    return int(numbers[0]) if with_offset else 0, int(numbers[-1]), labels
