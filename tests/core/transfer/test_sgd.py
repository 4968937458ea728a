"""The batched heads against torch's own layer and optimiser, one head at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cfvideo.core.randomness import numpy_generator, torch_generator
from cfvideo.core.transfer.samples import Samples
from cfvideo.core.transfer.sgd import Schedule, SgdSolver
from tests.core.transfer.blobs import NUM_CLASSES, blobs

CPU = torch.device("cpu")
RATES, DECAYS = (0.01, 0.3), (0.0, 1e-2)


def _solver(scaling: str = "none", *, num_cells: int = 1, nesterov: bool = True, drops: str = "three", epochs: int = 7,
            ) -> SgdSolver:
    schedule = Schedule(epochs=epochs, batch_size=16, momentum=0.9, nesterov=nesterov, drops=drops)
    return SgdSolver(num_classes=NUM_CLASSES, learning_rates=RATES, weight_decays=DECAYS, schedule=schedule,
                     scaling=scaling, num_cells={"res5": num_cells}, seed=5, device=CPU)


def _by_torch(samples: Samples, rate: float, decay: float, *, nesterov: bool, drop_epochs: tuple[int, ...], epochs: int,
              norm: nn.Module | None = None) -> nn.Module:
    """The plain loop: nn.Linear, torch.optim.SGD, MultiStepLR."""
    data = torch.from_numpy(samples.features["res5"][:, 0])
    labels = torch.tensor([int(own[0]) for own in samples.labels])
    linear = nn.Linear(data.shape[1], NUM_CLASSES)
    with torch.no_grad():
        drawn = torch.randn(data.shape[1], NUM_CLASSES, generator=torch_generator(5, "probe res5"))
        linear.weight.copy_(0.01 * drawn.T)
        linear.bias.zero_()
    model = nn.Sequential(norm, linear) if norm is not None else linear
    optimizer = torch.optim.SGD(linear.parameters(), lr=rate, momentum=0.9, nesterov=nesterov, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, drop_epochs)
    for epoch in range(epochs):
        order = numpy_generator(5, "probe order", epoch).permutation(np.arange(len(data)))
        for start in range(0, len(order), 16):
            rows = order[start:start + 16]
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(data[rows]), labels[rows]).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


@pytest.mark.parametrize(("nesterov", "drops", "drop_epochs", "epochs"),
                         [(True, "three", (2, 4, 6), 7), (False, "two", (2, 4), 6), (True, "none", (), 3)])
def test_every_head_learns_what_it_would_learn_alone_in_a_plain_loop(nesterov: bool, drops: str,
                                                                     drop_epochs: tuple[int, ...], epochs: int) -> None:
    samples, test = blobs(72, 0, distance=1.0), blobs(30, 1).features["res5"]  # 72: the last batch has 8 rows
    solver = _solver(nesterov=nesterov, drops=drops, epochs=epochs)
    found = solver.fit(samples, np.arange(72), {"res5": solver.grid})["res5"].scores(test)
    for setting, scores in zip(solver.grid, found, strict=True):
        model = _by_torch(samples, setting["learning_rate"], setting["weight_decay"], nesterov=nesterov,
                          drop_epochs=drop_epochs, epochs=epochs)
        with torch.no_grad():
            expected = model(torch.from_numpy(test[:, 0])).log_softmax(dim=1)
        np.testing.assert_allclose(scores, expected, atol=2e-5)


@pytest.mark.parametrize(("dim", "num_cells"), [(3, 1), (12, 4)])
def test_batch_norm_is_torchs_without_scale_and_shift(dim: int, num_cells: int) -> None:
    """Of a pooled map, BatchNorm2d's: a channel's cells together."""
    samples, test = blobs(72, 0, distance=1.0, dims=(dim,)), blobs(30, 1, dims=(dim,)).features["res5"]
    solver = _solver("batch_norm", num_cells=num_cells)
    norm = nn.Sequential(nn.Unflatten(1, (-1, num_cells, 1)), nn.BatchNorm2d(dim // num_cells, affine=False),
                         nn.Flatten())
    setting = solver.grid[0]
    found = next(solver.fit(samples, np.arange(72), {"res5": [setting]})["res5"].scores(test))
    model = _by_torch(samples, setting["learning_rate"], setting["weight_decay"], nesterov=True,
                      drop_epochs=(2, 4, 6), epochs=7, norm=norm)
    with torch.no_grad():
        expected = model(torch.from_numpy(test[:, 0])).log_softmax(dim=1)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_standardising_uses_the_fitted_rows_alone() -> None:
    samples = blobs(100, 0)
    rows, solver = np.arange(50), _solver("standardise")
    first = solver.fit(samples, rows, {"res5": solver.grid})["res5"].weight
    samples.features["res5"][50:] *= 1000
    assert torch.equal(first, solver.fit(samples, rows, {"res5": solver.grid})["res5"].weight)
    samples.features["res5"][:50] *= 1000
    assert torch.allclose(first, solver.fit(samples, rows, {"res5": solver.grid})["res5"].weight, atol=1e-4)


def test_each_epoch_reads_one_clip_of_every_row() -> None:
    samples, solver = blobs(40, 0, num_clips=6), _solver(epochs=30)
    seen = np.zeros((40, 6), int)
    for rows, clips in solver._batches(np.arange(40), samples):
        seen[rows, clips] += 1
    assert seen.sum(axis=1).tolist() == [30] * 40
    assert (seen > 0).mean() > 0.95


def test_a_rows_score_is_the_mean_probability_of_its_clips() -> None:
    samples, solver = blobs(40, 0, num_clips=4), _solver()
    heads = solver.fit(samples, np.arange(40), {"res5": solver.grid[:1]})["res5"]
    features = samples.features["res5"]
    clips = [np.exp(next(heads.scores(features[:, clip:clip + 1]))) for clip in range(4)]
    np.testing.assert_allclose(np.exp(next(heads.scores(features))), np.mean(clips, axis=0), rtol=1e-6)
