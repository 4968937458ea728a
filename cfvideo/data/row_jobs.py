"""Rows of an index as jobs, done ahead in threads of this process or in workers that may be killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeVar

from cfvideo.core.index import Index
from cfvideo.core.media import MediaPart
from cfvideo.core.prefetch import in_order
from cfvideo.core.records import Reading
from cfvideo.core.row_media import media_to_read
from cfvideo.data.decoders.choice import needs_process
from cfvideo.data.jobs import Answer, Job, do
from cfvideo.data.workers import WorkerPool

Group = TypeVar("Group")
Item = TypeVar("Item")
Result = TypeVar("Result")
Do = Callable[[Job], Answer]


def job_of(index: Index, row: int, kind: str, options: Mapping[str, Any], reading: Reading) -> Job:
    """What to do for one row. Raises DecodeError where its file may not, or need not, be opened."""
    name, media = media_to_read(index, row, reading)
    part = (media.path, media.offset, media.length) if isinstance(media, MediaPart) else (media, 0, -1)
    return Job(row=row, name=name, path=os.fspath(part[0]), offset=part[1], length=part[2], kind=kind,
               options=options, decoder=reading.decoder, max_pixels=reading.max_frame_pixels,
               packets=os.fspath(reading.packets) if reading.packets is not None else "")


def decoding(groups: Iterable[tuple[Group, Sequence[Item]]], work: Callable[[Item, Do], Result], reading: Reading, *,
             groups_ahead: int = 2) -> Generator[tuple[Group, list[Result]], None, None]:
    """(group, items) ... -> (group, [work(item, do)]) ..., in order; `do` decodes as `reading` says.

    Closing the generator, or an error or Ctrl-C through it, ends every thread and process.
    """
    workers = reading.workers or (reading.threads if needs_process(reading.decoder) else 0)
    if not workers:
        with closing(in_order(groups, lambda item: work(item, do), threads=reading.threads,
                              groups_ahead=groups_ahead)) as results:
            yield from results
        return
    pool = WorkerPool(timeout_seconds=reading.timeout_seconds, max_jobs=reading.worker_rows,
                      max_resident_bytes=reading.worker_bytes)
    with pool, closing(in_order(groups, lambda item: work(item, pool.run), threads=workers,
                                groups_ahead=groups_ahead, stop=pool.close)) as results:
        yield from results
