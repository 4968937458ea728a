"""Every objective against a few lines of arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cfvideo.core.training.objectives import (
    DistillationObjective,
    Items,
    LabelObjective,
    PretextObjective,
    RegressionObjective,
)

ROWS = np.array([4, 0, 2])
DATA = torch.tensor([[1.0, 2, 0], [0, 1, 3], [2, 2, 1]])


def _same(data: Tensor) -> Tensor:
    return data


def test_one_label_per_row() -> None:
    labels = np.array([2, -1, 0, 1, 1], np.int32)
    objective = LabelObjective([labels], ["abc"])
    assert objective.rows.tolist() == [0, 2, 3, 4]
    loss, right = objective(_same, DATA, Items(ROWS))
    assert loss.item() == pytest.approx(F.cross_entropy(DATA, torch.tensor([1, 2, 0])).item() * 3)
    assert right.item() == 3  # the tie of the third item goes to class 0


def test_several_heads_sum_their_losses_and_skip_rows_without_a_label() -> None:
    first, second = np.array([1, 0, -1, -1, 0], np.int32), np.array([0, -1, -1, 2, 2], np.int32)
    objective = LabelObjective([first, second], ["ab", "cde"])
    assert (objective.num_outputs, objective.labels) == (5, None)
    assert objective.rows.tolist() == [0, 1, 3, 4]
    logits = torch.tensor([[1.0, 0, 0, 0, 2], [0, 1, 3, 0, 0]])
    loss, right = objective(_same, logits, Items(np.array([4, 1])))
    expected = (F.cross_entropy(logits[:1, :2], torch.tensor([0])) + F.cross_entropy(logits[1:, :2], torch.tensor([0]))
                + F.cross_entropy(logits[:1, 2:], torch.tensor([2])))
    assert loss.item() == pytest.approx(expected.item())
    assert right.item() == 1.0  # two of the three answers, each worth half


def test_a_pretext_task_asks_what_the_view_says() -> None:
    objective = PretextObjective(num_rows=5, num_classes=3)
    loss, right = objective(_same, DATA, Items(ROWS, targets=np.array([0, 2, 1])))
    assert loss.item() == pytest.approx(F.cross_entropy(DATA, torch.tensor([0, 2, 1]), reduction="sum").item())
    assert right.item() == 1
    with pytest.raises(ValueError, match=r"Batch.targets"):
        objective(_same, DATA, Items(ROWS))


def test_distillation_is_the_papers_convex_combination() -> None:
    labels = np.array([2, 0, 0, 1, 1], np.int32)
    teacher = torch.tensor([[3.0, 0, 0], [0, 0, 1], [0, 5, 0]])
    objective = DistillationObjective(labels, "abc", teacher=lambda _: teacher, temperature=20.0, alpha=0.75)
    loss, _ = objective(_same, DATA, Items(ROWS))
    soft = -(F.softmax(teacher / 20, 1) * F.log_softmax(DATA / 20, 1)).sum() * 400
    hard = F.cross_entropy(DATA, torch.tensor([1, 2, 0]), reduction="sum")
    assert loss.item() == pytest.approx(float(0.75 * soft + 0.25 * hard), rel=1e-6)


def test_the_teacher_learns_nothing() -> None:
    weight = torch.ones(3, requires_grad=True)
    student = torch.ones(3, requires_grad=True)
    objective = DistillationObjective(np.zeros(5, np.int32), "abc", teacher=lambda x: x * weight, temperature=2.0,
                                      alpha=0.5)
    objective(lambda x: x * student, DATA, Items(ROWS))[0].backward()
    assert weight.grad is None
    assert student.grad is not None


def test_regression_is_the_squared_distance_to_the_normalised_feature() -> None:
    features = np.arange(15, dtype=np.float32).reshape(5, 3) + 1
    objective = RegressionObjective(lambda rows: features[rows], rows=np.arange(5), feature_dim=3)
    loss, _ = objective(_same, DATA, Items(ROWS))
    wanted = features[ROWS] / np.linalg.norm(features[ROWS], axis=1, keepdims=True)
    assert loss.item() == pytest.approx(float(((DATA.numpy() - wanted)**2).sum()), rel=1e-5)
