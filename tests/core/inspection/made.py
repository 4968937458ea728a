"""Invented clusters with members of every kind, and a finished toy run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.cli import run
from cfvideo.core.errors import DecodeError
from cfvideo.core.index import Index
from cfvideo.core.inspection.gather import sheet_of
from cfvideo.core.inspection.numbers import cluster_numbers
from cfvideo.core.inspection.page import Page
from cfvideo.core.inspection.source import Source
from cfvideo.core.pseudo_labels import PseudoLabels
from tests.core.report.sample import HOSTILE, picture
from tests.core.test_cli import CONFIG
from tests.toy_modality import TOY

FACTS = {"num_clusters": 3, "num_empty": 1, "num_unlabelled": 2, "smallest": 4, "largest": 30, "imbalance": 1.5,
         "scores": {"nmi_with_labels": 0.25, "purity_with_labels": 0.5, "adjusted_rand_with_labels": 0.125}}
FIT = {"objective": [0.5, 0.25, 0.2], "share_moved": [1.0, 0.3, 0.015], "share_of_points": 1.0, "num_iterations": 3,
       "num_points": 56}
SIZES = (30, 20, 4)


def labels(index_hash: str = "h") -> PseudoLabels:
    """56 rows: 30, 20 and 4 in three clusters, row i at distance i / 10 from its centroid, and two in none."""
    ids = np.concatenate([np.repeat(np.arange(3), SIZES), [-1, -1]]).astype(np.int32)
    return PseudoLabels(ids, ((np.arange(56) / 10) ** 2).astype(np.float32), np.arange(3, dtype=np.int32), index_hash)


def index(names: Sequence[str] = ("jump", "run")) -> Index:
    """Row i carries label i mod 2; the even ones also label 1 in the first cluster."""
    of_rows = [[0, 1] if row < 30 and row % 2 == 0 else [row % 2] for row in range(56)]
    return Index.build(paths=[b"clips/%03d.mp4" % row for row in range(56)], sizes=[1] * 56, labels=of_rows,
                       label_names=names, root=Path())


def decode(rows: Sequence[int]) -> Iterator[NDArray[np.uint8] | DecodeError]:
    """Row 1 cannot be decoded, row 2 is a single frame."""
    for row in rows:
        if row == 1:
            yield DecodeError(1, "clips/001.mp4", "undecodable", "moov <atom> not found")
        else:
            yield np.stack([picture(100 * row + frame, 96, 128) for frame in range(1 if row == 2 else 4)])


def page(*, hostile: bool = False, order: str = "size", fit: bool = True) -> Page:
    """hostile: whatever a stranger may have named is named badly."""
    found, known = labels(), (np.arange(56) % 2).astype(np.int32)
    numbers = cluster_numbers(found, known)
    names = HOSTILE[:2] if hostile else ("jump", "run")
    sheets = [sheet_of(cluster, found, numbers, index(names), seed=0, decode=decode) for cluster in (0, 2)]
    if hostile:
        members = sheets[0].groups[0][1]
        for member, name in zip((m for _, group in sheets[0].groups for m in group), HOSTILE, strict=False):
            object.__setattr__(member, "name", name)
            object.__setattr__(member, "labels", (name, *HOSTILE[:3]))
        object.__setattr__(members[1], "cause", HOSTILE[0] + HOSTILE[5])
    role = f"seed 0: n_cf_{HOSTILE[0]}" if hostile else "seed 0: n_cf"
    source = Source(role, found, FACTS, FIT if fit else {})
    title, command = (HOSTILE[5] + HOSTILE[0], f"python {HOSTILE[1]}") if hostile else ("Made up", "python tool")
    return Page(title, 0, order, command, source, numbers, sheets)


def toy_run(folder: Path, *overrides: str) -> list[Path]:
    """Run the toys up to their pseudo-labels, in folder/out; the config files."""
    folder.mkdir(exist_ok=True)
    config = folder / "toy.yaml"
    config.write_text(CONFIG.format(out=folder / "out"))
    assert run(TOY, files=[config], overrides=overrides, stages="pretrain,extract,cluster,assign", dry_run=False,
               command="toy") == 0
    return [config]
