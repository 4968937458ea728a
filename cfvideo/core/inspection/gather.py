"""The sheets of a page: clusters with their members' names, labels and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.errors import DecodeError
from cfvideo.core.index import Index
from cfvideo.core.inspection.choice import choose_members
from cfvideo.core.inspection.clips import Clip, clip_of
from cfvideo.core.inspection.numbers import ClusterNumbers, label_shares
from cfvideo.core.pseudo_labels import PseudoLabels

MAX_LABELS = 6
# Decodes: rows -> their frames, in order.
Decode = Callable[[Sequence[int]], Iterable[NDArray[np.uint8] | DecodeError]]


@dataclass(frozen=True)
class Member:
    """One row. labels: the first MAX_LABELS of its own; num_more: how many others it has. clip: None where it cannot
    be decoded, for the reason in `cause`."""

    row: int
    name: str
    labels: tuple[str, ...]
    num_more: int
    distance: float
    clip: Clip | None
    cause: str = ""


@dataclass(frozen=True)
class Sheet:
    """One cluster. rank: place by size, 1 is the largest. purity: NaN where no member has a label. shares: the
    commonest labels and the shares of its members that carry them. groups: members by the way they were chosen."""

    cluster: int
    size: int
    rank: int
    purity: float
    distance: float
    shares: Sequence[tuple[str, float]]
    groups: Sequence[tuple[str, Sequence[Member]]]


def sheet_of(cluster: int, found: PseudoLabels, numbers: ClusterNumbers, index: Index, *, seed: int, decode: Decode,
             ) -> Sheet:
    """seed: of the members drawn at random."""
    groups = choose_members(found, cluster, seed=seed)
    shown = [int(row) for rows in groups.values() for row in rows]
    pictures = iter(decode(shown))
    members = {row: _member(row, index, found, frames) for row, frames in zip(shown, pictures, strict=True)}
    rows = np.flatnonzero(found.labels == cluster)
    return Sheet(cluster, len(rows), 1 + int((numbers.sizes > len(rows)).sum()), float(numbers.purity[cluster]),
                 float(numbers.distances[cluster]), label_shares(index, rows, MAX_LABELS),
                 [(name, [members[int(row)] for row in chosen]) for name, chosen in groups.items() if len(chosen)])


def _member(row: int, index: Index, found: PseudoLabels, frames: NDArray[np.uint8] | DecodeError) -> Member:
    labels = [index.label_names[label] for label in index.labels_of(row)]
    member = partial(Member, row, index.name_of(row), tuple(labels[:MAX_LABELS]), max(0, len(labels) - MAX_LABELS),
                     float(np.sqrt(found.distances[row])))
    if isinstance(frames, DecodeError):
        return member(None, f"{frames.status}: {frames.cause}")
    return member(clip_of(frames))
