"""The teacher of distillation: what it is fed, and that it stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cfimage.modality import IMAGE
from cfvideo.core.index import Index
from cfvideo.core.picture_views import Statistics
from cfvideo.core.records import Reading
from cfvideo.core.training.teacher import Teacher, first_difference
from tests.cfimage.pictures import encoded, smooth

OWN, USUAL = Statistics((0.5, 0.25, 0.75), (0.5, 0.2, 0.1)), IMAGE.statistics({})


class Kept(nn.Module):
    """Batch norm and a layer, and the last samples that it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.fc, self.seen = nn.BatchNorm2d(3), nn.Linear(3, 4), torch.empty(0)

    def forward(self, data: Tensor) -> Tensor:
        self.seen = data
        logits: Tensor = self.fc(self.norm(data).mean(dim=(2, 3)))
        return logits


def _batch(folder: Path, statistics: Statistics) -> Tensor:
    """Two pictures as an image network with these statistics is fed them."""
    names = [b"0.png", b"1.png"]
    for number, name in enumerate(names):
        (folder / name.decode()).write_bytes(encoded(smooth(40, 48, 1.5 + number), "PNG"))
    index = Index.build(paths=names, sizes=[(folder / name.decode()).stat().st_size for name in names], root=folder,
                        labels=[[0], [1]], label_names=["a", "b"])
    view: dict[str, Any] = {"short_edge_px": 32, "crop_px": 32, "mean": statistics.mean, "std": statistics.std}
    (batch,) = IMAGE.eval_batches(index, np.arange(2), view=view, num_views=1, batch_rows=2, reading=Reading())
    assert batch.valid.all()
    return batch.data


def test_the_teacher_is_fed_what_it_would_have_been_fed_itself(tmp_path: Path) -> None:
    network = Kept()
    students, own = _batch(tmp_path, USUAL), _batch(tmp_path, OWN)
    Teacher(network, own=OWN, given=USUAL)(students)
    torch.testing.assert_close(network.seen, own, rtol=0, atol=2e-5)
    assert (students - own).abs().max() > 1
    assert network.seen.stride() == own.stride()


def test_equal_statistics_leave_the_very_samples() -> None:
    network, data = Kept(), torch.ones(2, 3, 4, 4)
    Teacher(network, own=Statistics(*OWN), given=OWN)(data)
    assert network.seen is data


def test_the_teacher_is_in_evaluation_mode_and_learns_nothing() -> None:
    network = Kept().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    logits = Teacher(network, own=OWN, given=USUAL)(torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0)))
    assert not network.training
    assert not logits.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(("names", "others", "place"), [
    ("ab", "ab", None), ("", "", None), ("abc", "axc", 1), ("ab", "abc", 2), ("abc", "ab", 2), ("", "a", 0)])
def test_the_first_class_that_differs(names: str, others: str, place: int | None) -> None:
    assert first_difference(list(names), list(others)) == place
