"""MMAction2's lists: videos or folders of frames, with one or several labels."""

from __future__ import annotations

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.formats.list_files import Where, lines_of
from cfvideo.core.formats.lists import path_and_rest
from cfvideo.core.formats.source import NumberedLabels, Source, is_number
from cfvideo.core.index import Index


def read_mmaction2(source: Source) -> Index:
    """`path label[ label ...]` for videos, `folder num_frames label[ label ...]` for folders of frames."""
    return _read_mmaction2(source, with_offset=False)


def read_mmaction2_offset(source: Source) -> Index:
    """As mmaction2, but frames are listed as `folder offset num_frames label[ label ...]`: parts of long videos."""
    return _read_mmaction2(source, with_offset=True)


def _read_mmaction2(source: Source, *, with_offset: bool) -> Index:
    labels, rows = NumberedLabels(source.label_names), source.rows(with_parts=True)
    for where, line in lines_of(source.path):
        path, rest = path_and_rest(line, source.kind)
        numbers = rest.split()
        offset, length = 0, -1
        if not source.kind.has_name(path):
            offset, length, numbers = _frames(where, line, numbers, with_offset)
        if not numbers:
            raise DataError(f"{where}: the label is missing: {printable(line)!r}")
        rows.add(where, path, [labels.id_of(where, number) for number in numbers], offset=offset, length=length)
    return rows.index(labels.names())


def _frames(where: Where, line: bytes, words: list[bytes], with_offset: bool) -> tuple[int, int, list[bytes]]:
    """(offset, number of frames, labels) of a folder of frames."""
    numbers, labels = words[:1 + with_offset], words[1 + with_offset:]
    expected = "'folder offset num_frames label ...'" if with_offset else "'folder num_frames label ...'"
    if len(numbers) < 1 + with_offset or not all(map(is_number, numbers)) or int(numbers[-1]) == 0:
        raise DataError(f"{where}: expected {expected} or 'video.mp4 label ...', got {printable(line)!r}")
    return int(numbers[0]) if with_offset else 0, int(numbers[-1]), labels
