"""Sports-1M: lines `https://www.youtube.com/watch?v=ID 168,169` (the official partitions) or `path label[,label]`.

`labels.txt` beside the list names the labels, one per line, if it is there. An address stands for the one video below
the root that is called ID.mp4 (or .mkv, ...), in whatever folder; where there is none, for ID.mp4, which is missing.
"""

from __future__ import annotations

import os
import re
from functools import cached_property

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.formats.folders import samples_below
from cfvideo.core.formats.list_files import Where, lines_of
from cfvideo.core.formats.source import NumberedLabels, Source, names_in
from cfvideo.core.index import Index

_ADDRESS = re.compile(rb"https?://(?:www\.|m\.)?(?:youtube\.com/watch\?v=|youtu\.be/)([\w-]{1,64})(?:&\S*)?")


def read_sports1m(source: Source) -> Index:
    names = source.label_names if source.label_names is not None else names_in(source.path.parent / "labels.txt")
    labels, rows, videos = NumberedLabels(names), source.rows(), VideosById(source)
    for where, line in lines_of(source.path):
        file, _, numbers = line.replace(b"\t", b" ").rpartition(b" ")
        if not file:
            raise DataError(f"{where}: expected 'path label[,label]' or an address and labels, got {printable(line)!r}")
        path = _local(where, line[:len(file)].rstrip(), videos)
        rows.add(where, path, [labels.id_of(where, number) for number in numbers.split(b",")])
    return rows.index(labels.names())


class VideosById:
    """Videos below a folder by their name without extension; the folder is searched when first asked."""

    def __init__(self, source: Source) -> None:
        self._folder, self._kind = source.folder, source.kind

    @cached_property
    def _paths(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for path in samples_below(self._folder, self._kind):
            key = os.path.splitext(os.path.basename(path))[0]
            if key in found:
                raise DataError(f"{self._folder}: {printable(found[key])} and {printable(path)} are both videos of "
                                f"{printable(key)}; keep one of them")
            found[key] = path
        return found

    def path_of(self, key: bytes) -> bytes:
        return self._paths.get(key, key + b".mp4")


def _local(where: Where, path: bytes, videos: VideosById) -> bytes:
    if b"://" not in path:
        return path
    address = _ADDRESS.fullmatch(path)
    if address is None:
        raise DataError(f"{where}: {printable(path)!r} is not an address of a YouTube video "
                        "(https://www.youtube.com/watch?v=ID)")
    return videos.path_of(address[1])
