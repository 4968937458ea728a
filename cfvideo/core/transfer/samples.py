"""What a yardstick is given: features of labelled rows, layer by layer. N rows, n clips a row, D feature, C classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# float16 or float32 [N, n, D]; n is 1 where clips were averaged.
Features = NDArray[np.floating]
# One or several labels per row.
LabelSets = Sequence[NDArray[np.int32]]
# float [N, C]; the larger, the likelier; -inf: a class that was never learned.
Scores = NDArray[np.floating]
# Rows scored at a time: constant, because the last bits of a product depend on its shape.
BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Samples:
    """features: layer -> [N, n, D]. labels: per row; one without any is every class's negative and no classifier's
    training row. ignored: per row, the classes that do not count in an average precision (VOC's difficult objects);
    empty where there are none."""

    features: Mapping[str, Features]
    labels: LabelSets
    ignored: LabelSets = ()

    def __post_init__(self) -> None:
        for layer, matrix in self.features.items():
            if matrix.ndim != 3 or len(matrix) != len(self.labels):
                raise ValueError(f"{layer}: features of shape {matrix.shape} for {len(self.labels)} rows; [N, n, D]")
        if len(self.ignored) not in (0, len(self.labels)):
            raise ValueError(f"{len(self.ignored)} rows with ignored classes for {len(self.labels)} rows")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def labelled(self) -> NDArray[np.int64]:
        """The rows that have a label."""
        return np.flatnonzero([len(own) > 0 for own in self.labels])

    @property
    def is_multi_label(self) -> bool:
        """Whether any row has several labels, or none."""
        return any(len(own) != 1 for own in self.labels)


def row_blocks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """`rows` in order, BLOCK_ROWS at a time."""
    for start in range(0, len(rows), BLOCK_ROWS):
        yield rows[start:start + BLOCK_ROWS]


def signs(labels: LabelSets, num_classes: int, ignored: LabelSets = ()) -> NDArray[np.int8]:
    """int8 [N, C]: 1 where a class is among a row's labels, 0 where it is ignored, else -1."""
    out = np.full((len(labels), num_classes), -1, np.int8)
    for row, classes in enumerate(ignored):
        out[row, classes] = 0
    for row, classes in enumerate(labels):
        out[row, classes] = 1
    return out


def soft_targets(labels: LabelSets, rows: NDArray[np.int64], num_classes: int) -> NDArray[np.float32]:
    """float32 [len(rows), C]: each row's own labels share 1 equally."""
    out = np.zeros((len(rows), num_classes), np.float32)
    for place, row in enumerate(rows):
        out[place, labels[row]] = 1.0 / len(labels[row])
    return out


def unseen(labels: LabelSets, rows: NDArray[np.int64], num_classes: int) -> NDArray[np.bool_]:
    """bool [C]: the classes that no row of `rows` has."""
    out = np.ones(num_classes, np.bool_)
    for row in rows:
        out[labels[row]] = False
    return out
