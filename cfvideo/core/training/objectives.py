"""What training minimises: a sum over items, so that it adds up over micro-batches and processes.

B valid items of a part, N rows of the index, K outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Network = Callable[[Tensor], Tensor]
NO_LABEL = -1


@dataclass(frozen=True)
class Items:
    """The valid items of one part: rows int64 [B]; targets int64 [B], what the view itself was made to ask, or None."""

    rows: NDArray[np.int64]
    targets: NDArray[np.int64] | None = None


class Objective(Protocol):
    """num_outputs: what the head must have. rows: int64, the rows of the index that can be trained on.

    labels: int32 [N], what memorisation is measured on, or None. class_names: of the outputs, in order, which the
    weights carry on; none where the task says what they are.
    """

    num_outputs: int
    rows: NDArray[np.int64]
    labels: NDArray[np.int32] | None
    class_names: Sequence[str]

    def __call__(self, network: Network, data: Tensor, items: Items) -> tuple[Tensor, Tensor]:
        """data [B, ...] -> summed loss and how many items are right, both scalars on the device."""


class LabelObjective:
    """Cross-entropy on one label per row; rows without one are left out.

    Several label sets are several heads (multi-task, paper, appendix E): their logits lie side by side in one linear
    layer and their losses are summed; a row may lack a label in some.

    Args:
        label_sets: int32 [N] each, -1 where there is none. names: of the classes of each.
    """

    def __init__(self, label_sets: Sequence[NDArray[np.int32]], names: Sequence[Sequence[str]]) -> None:
        self.label_sets, self.sizes = tuple(label_sets), [len(own) for own in names]
        self.class_names: Sequence[str] = [name for own in names for name in own]
        self.num_outputs = len(self.class_names)
        self.rows = np.flatnonzero(np.any([labels >= 0 for labels in label_sets], axis=0))
        self.labels: NDArray[np.int32] | None = self.label_sets[0] if len(names) == 1 else None

    def __call__(self, network: Network, data: Tensor, items: Items) -> tuple[Tensor, Tensor]:
        loss, right = torch.zeros((), device=data.device), torch.zeros((), device=data.device)
        for logits, labels in zip(torch.split(network(data).float(), self.sizes, dim=1), self.label_sets, strict=True):
            wanted = _targets(labels[items.rows], data)
            loss = loss + F.cross_entropy(logits, wanted, ignore_index=NO_LABEL, reduction="sum")
            right = right + (logits.argmax(dim=1) == wanted).sum() / len(self.sizes)
        return loss, right


class PretextObjective:
    """Cross-entropy on what each view was made to ask: its rotation, its permutation (paper, appendix D)."""

    class_names: Sequence[str] = ()

    def __init__(self, *, num_rows: int, num_classes: int) -> None:
        self.num_outputs = num_classes
        self.rows = np.arange(num_rows, dtype=np.int64)
        self.labels: NDArray[np.int32] | None = None

    def __call__(self, network: Network, data: Tensor, items: Items) -> tuple[Tensor, Tensor]:
        if items.targets is None:
            raise ValueError("this modality's views ask nothing: a pretext task needs Batch.targets")
        logits, wanted = network(data).float(), _targets(items.targets, data)
        return F.cross_entropy(logits, wanted, reduction="sum"), (logits.argmax(dim=1) == wanted).sum()


class DistillationObjective:
    """alpha * cross-entropy with the teacher's softened outputs + (1 - alpha) * cross-entropy with the weak labels.

    Paper, supplement A: T = 20, alpha = 0.75, the teacher is N_pre. The soft term carries T^2, as in Hinton et al.
    (2015), without which its gradient would fade with T. The teacher sees the very clips that the student sees, under
    its own normalisation (`Teacher`); the paper does not say which it saw.

    Args:
        labels: int32 [N], the weak labels. names: of the classes. teacher: N_pre, in evaluation mode, on the device.
    """

    def __init__(self, labels: NDArray[np.int32], names: Sequence[str], *, teacher: Network, temperature: float,
                 alpha: float) -> None:
        self.hard = LabelObjective([labels], [names])
        self.num_outputs, self.rows, self.labels = len(names), self.hard.rows, self.hard.labels
        self.class_names = self.hard.class_names
        self.teacher, self.temperature, self.alpha = teacher, temperature, alpha

    def __call__(self, network: Network, data: Tensor, items: Items) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            soft = F.softmax(self.teacher(data).float() / self.temperature, dim=1)
        logits = network(data)
        hard, right = self.hard(lambda _: logits, data, items)
        matched = -(soft * F.log_softmax(logits.float() / self.temperature, dim=1)).sum()
        return self.alpha * self.temperature**2 * matched + (1 - self.alpha) * hard, right


class RegressionObjective:
    """Squared distance to N_pre's own L2-normalised feature of the row (paper, section 4: "directly regress").

    Args:
        feature_of: rows int64 [B] -> float32 [B, D], what was extracted for clustering. rows: those that have one.
    """

    labels: NDArray[np.int32] | None = None

    def __init__(self, feature_of: Callable[[NDArray[np.int64]], NDArray[np.float32]], *, rows: NDArray[np.int64],
                 feature_dim: int) -> None:
        self.feature_of, self.rows, self.num_outputs = feature_of, rows, feature_dim
        self.class_names: Sequence[str] = [f"number {place} of the feature" for place in range(feature_dim)]

    def __call__(self, network: Network, data: Tensor, items: Items) -> tuple[Tensor, Tensor]:
        wanted = torch.from_numpy(self.feature_of(items.rows)).to(data.device)
        loss = (network(data).float() - F.normalize(wanted, dim=1)).square().sum()
        return loss, torch.zeros((), device=data.device)


def _targets(values: NDArray[np.int32] | NDArray[np.int64], data: Tensor) -> Tensor:
    return torch.from_numpy(values.astype(np.int64)).to(data.device)
