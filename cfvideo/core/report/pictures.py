"""Pictures as data URIs, so that the page needs no second file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cfvideo.core.report.data import ClusterSummary, ContactSheet

# Twice the height at which the page shows a thumbnail, for dense screens.
THUMBNAIL_PX = 144
JPEG_QUALITY = 82
# Together they keep the page below a few megabytes.
MAX_SHEETS = 24
MAX_MEMBERS = 12


@dataclass(frozen=True)
class Member:
    """One picture of a contact sheet; source: data URI, empty where the row could not be decoded."""

    source: str
    caption: str
    distance: float


@dataclass(frozen=True)
class Sheet:
    """A contact sheet ready for the page. place: 'largest', 'rank 5 of 30'..., empty where the sizes are unknown.
    num_clusters: K; 0 where it is unknown."""

    seed: int
    network: str
    cluster: int
    size: int
    place: str
    members: tuple[Member, ...]
    num_hidden: int
    num_clusters: int


def png_uri(png: bytes) -> str:
    return "data:image/png;base64," + b64encode(png).decode("ascii")


def thumbnail_uri(picture: NDArray[np.uint8]) -> str:
    """uint8 [H, W, 3] -> JPEG no higher and no wider than 2 x THUMBNAIL_PX; a smaller picture keeps its size."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((2 * THUMBNAIL_PX, THUMBNAIL_PX))
    stream = BytesIO()
    image.save(stream, format="JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + b64encode(stream.getvalue()).decode("ascii")


def page_sheets(sheets: Sequence[ContactSheet], clusters: Sequence[ClusterSummary]) -> list[Sheet]:
    """At most MAX_SHEETS, in the given order."""
    sizes = {(summary.network, summary.seed): summary.sizes for summary in clusters}
    return [_sheet(sheet, sizes.get((sheet.network, sheet.seed))) for sheet in sheets[:MAX_SHEETS]]


def _sheet(sheet: ContactSheet, sizes: NDArray[np.int64] | None) -> Sheet:
    members = zip(sheet.pictures[:MAX_MEMBERS], sheet.captions, sheet.distances, strict=False)
    shown = tuple(Member("" if picture is None or not picture.size else thumbnail_uri(picture), caption, distance)
                  for picture, caption, distance in members)
    return Sheet(sheet.seed, sheet.network, sheet.cluster, sheet.size, _place(sheet.size, sizes), shown,
                 len(sheet.pictures) - len(shown), 0 if sizes is None else len(sizes))


def _place(size: int, sizes: NDArray[np.int64] | None) -> str:
    if sizes is None:
        return ""
    rank, filled = 1 + int((sizes > size).sum()), int((sizes > 0).sum())
    return "largest" if rank == 1 else f"size rank {rank} of {filled}"
