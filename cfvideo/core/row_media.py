"""What a row is read from, or why it may not be read."""

from __future__ import annotations

from cfvideo.core.errors import DataError, DecodeError
from cfvideo.core.index import Index
from cfvideo.core.media import Media
from cfvideo.core.records import Reading


def media_to_read(index: Index, row: int, reading: Reading) -> tuple[str, Media]:
    """The name of a row for messages, and its file or part of one.

    Raises:
        DecodeError: its file may not be opened, or an earlier check found that it need not be.
    """
    name = index.name_of(row)
    known = reading.known_bad.get(index.content_hash, {}) if reading.known_bad else {}
    if row in known:
        raise DecodeError(row, name, *known[row])
    try:
        return name, index.media_of(row)
    except DataError as error:
        raise DecodeError(row, name, "refused", str(error)) from error
