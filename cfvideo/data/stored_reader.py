"""Reading a video by its packet index, and making that index on the first visit."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cfvideo.core.media_file import MediaError, open_regular
from cfvideo.data.packet_index import Fingerprint, PacketIndex, load, save
from cfvideo.data.packet_sources import PacketSource, ScannedPackets
from cfvideo.data.stored_packets import StoredPackets, columns_of, looks_like
from cfvideo.data.video_reader import VideoReader, container_reading

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from cfvideo.data.video_reader import Paint

# How many of its first frames a file must give alike with and without its container: enough to see any reordering.
_COMPARED_FRAMES = 2


class StoredReader(VideoReader):
    """Frames without the container. Where that fails, the container is opened, and what it gives counts."""

    def __init__(self, source: PacketSource, path: Path, max_pixels: int) -> None:
        super().__init__(source)
        self._path, self._max_pixels = path, max_pixels

    def decode(self, wanted: Collection[int], paint: Paint) -> None:
        import av

        try:
            super().decode(wanted, paint)
        except (MediaError, av.FFmpegError):
            with container_reading(self._path, self._max_pixels) as (_, reader):
                reader.decode(wanted, paint)


@contextmanager
def indexed_reading(path: Path, max_pixels: int, packets: Path, *, keep: bool) -> Iterator[VideoReader]:
    """Frames of a file whose packets may be known from an earlier visit.

    packets: folder of packet indexes. keep: what is found out is kept for the next visit; the number of frames always
    is where it took a decode of the whole file. Raises MediaError, av.FFmpegError or OSError.
    """
    file, found = open_regular(path)
    with file:
        fingerprint = Fingerprint.of(found)
        index = load(packets, path, fingerprint)
        if index is not None and index.columns is not None and index.columns.num_pixels <= max_pixels:
            yield StoredReader(StoredPackets(file, index, max_pixels=max_pixels), path, max_pixels)
            return
        with container_reading(path, max_pixels, index.num_frames if index is not None else None) as (source, reader):
            if index is None and (keep or reader.table.frames is None):
                made = _made(file, fingerprint, source, reader, max_pixels)
                if Fingerprint.of(path.stat()) == fingerprint:
                    save(packets, path, made)
            yield reader


def _made(file: BinaryIO, fingerprint: Fingerprint, source: ScannedPackets, reader: VideoReader, max_pixels: int
          ) -> PacketIndex:
    index = PacketIndex(fingerprint, source.codec, source.container, reader.num_frames, columns_of(file, source))
    if index.columns is None:
        return index
    stored = VideoReader(StoredPackets(file, index, max_pixels=max_pixels))
    return index if _first_frames(stored) == _first_frames(reader) else replace(index, columns=None)


def _first_frames(reader: VideoReader) -> list[tuple[object, ...]] | None:
    import av

    seen: list[tuple[object, ...]] = []

    def paint(number: int, frame: VideoFrame) -> None:
        seen.append(looks_like(frame))

    try:
        reader.decode(range(min(reader.num_frames, _COMPARED_FRAMES)), paint)
    except (MediaError, av.FFmpegError):
        return None
    return seen
