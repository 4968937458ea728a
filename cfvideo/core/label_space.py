"""The label space that N_pre learns: which labels, which rows, how wrong (paper, sections 3.2, 5.3, supplement F).

N rows, C labels.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.core.randomness import numpy_generator

# Which rows a smaller D_pre keeps is part of the data, not of a run: no seed of the run's changes it.
_SAMPLE_SEED = 0


def names_in(file: Path, key: str) -> list[str]:
    """The label names of a text file, one on each line; blank lines are skipped.

    Raises:
        DataError: it cannot be read, is not UTF-8, or holds none.
    """
    try:
        names = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{key}: {file} cannot be read as a list of label names, one a line: {error}") from error
    if not names:
        raise DataError(f"{key}: {file} holds no label name; write one on each line")
    return names


def most_frequent(index: Index, count: int) -> list[str]:
    """The `count` labels that most rows carry, the most frequent first; ties go to the lower label (Figure 7)."""
    rows = np.bincount(index.labels_csr()[1], minlength=len(index.label_names))
    return [index.label_names[label] for label in np.argsort(-rows, kind="stable")[:count]]


def restricted(index: Index, names: Collection[str], key: str) -> Index:
    """The rows that carry one of the labels in `names`, and of their labels only those, in the index's order.

    Raises:
        DataError: a name is no label of the index.
    """
    unknown = sorted(set(names) - set(index.label_names))
    if unknown:
        raise DataError(f"{key}: {len(unknown)} of {len(names)} names are no labels of this data set, such as "
                        f"{unknown[0]!r}; it has {', '.join(map(repr, index.label_names[:3]))}, ...")
    kept = [label for label, name in enumerate(index.label_names) if name in set(names)]
    new_ids = np.full(len(index.label_names), -1, np.int32)
    new_ids[kept] = np.arange(len(kept))
    renamed = index.relabelled(new_ids, [index.label_names[label] for label in kept])
    return _taken(renamed, np.flatnonzero(np.diff(renamed.labels_csr()[0])))


def sampled(index: Index, num_rows: int, key: str) -> Index:
    """A fixed sample of `num_rows` rows, in their order: the same number of videos for every label space.

    Raises:
        DataError: there are fewer.
    """
    if num_rows > index.num_rows:
        raise DataError(f"{key}: {num_rows} rows asked of {index.num_rows}; lower it to at most that")
    chosen = numpy_generator(_SAMPLE_SEED, "label space", num_rows).choice(index.num_rows, num_rows, replace=False)
    return _taken(index, np.sort(chosen))


def _taken(index: Index, rows: NDArray[np.int64]) -> Index:
    return Index(index.table.take(pa.array(rows)), index.label_names, index.root)


def noisy(labels: NDArray[np.int32], num_labels: int, *, share: float, seed: int) -> NDArray[np.int32]:
    """int32 [N]: each label replaced with probability `share` by another, drawn evenly from the C - 1 others (paper,
    section 3.2: uniform noise that never keeps the true label). Rows without a label (-1) keep none.

    Raises:
        DataError: there is no other label.
    """
    if share == 0 or not len(labels):  # no rows: --dry-run stands before data that is not here yet
        return labels
    if num_labels < 2:
        raise DataError("LABELS.NOISE needs at least two labels")
    rng = numpy_generator(seed, "label noise")
    wrong = (rng.random(len(labels)) < share) & (labels >= 0)
    shift = rng.integers(1, num_labels, len(labels), dtype=np.int32)
    return np.where(wrong, (labels + shift) % num_labels, labels).astype(np.int32)
