"""Ridge regression onto class indicators: one eigendecomposition, every penalty.

The fastest linear classifier here, and usually a worse one than logistic regression: it pays for scores that are too
good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cfvideo.core.transfer.samples import Features, Samples, Scores, row_blocks, soft_targets, unseen
from cfvideo.core.transfer.scaling import Scaling, on_device
from cfvideo.core.transfer.solver import Setting, Tick, no_tick


class _Fitted:
    """weights [D, C] per setting, and the bias [C] they share."""

    num_unconverged = 0

    def __init__(self, scaling: Scaling, weights: Sequence[Tensor], bias: Tensor, never: NDArray[np.bool_]) -> None:
        self.scaling, self.weights, self.bias, self.never = scaling, weights, bias, never

    def scores(self, features: Features) -> Iterator[Scores]:
        """Mean score over a row's clips."""
        data = self.scaling(on_device(features, self.bias.device)).double()
        data = data.view(features.shape).mean(dim=1)
        for weight in self.weights:
            scores: NDArray[np.float64] = (data @ weight + self.bias).cpu().numpy()
            scores[:, self.never] = -np.inf
            yield scores


class RidgeSolver:
    """Solver. strengths: inverse penalties s; minimises the mean over clips of |y - W x - b|^2 plus |W|^2 / s on
    standardised features (float64 throughout)."""

    def __init__(self, *, num_classes: int, strengths: Sequence[float], device: torch.device) -> None:
        self.num_classes, self.device = num_classes, device
        self.grid: Sequence[Setting] = [{"strength": strength} for strength in sorted(strengths)]

    def num_ticks(self, num_rows: int, num_settings: int, num_layers: int) -> int:
        return num_layers

    def fit(self, samples: Samples, rows: NDArray[np.int64], settings: Mapping[str, Sequence[Setting]], *,
            tick: Tick = no_tick) -> Mapping[str, _Fitted]:
        fitted = {}
        never = unseen(samples.labels, rows, self.num_classes)
        for layer, wanted in settings.items():
            scaling = Scaling("standardise", samples.features[layer], rows, self.device)
            square, product, bias = self._moments(samples, rows, layer, scaling)
            values, vectors = torch.linalg.eigh(square)
            turned = vectors.T @ product
            weights = [vectors @ (turned / (values.clamp(min=0) + 1 / setting["strength"])[:, None])
                       for setting in wanted]
            fitted[layer] = _Fitted(scaling, weights, bias, never)
            tick()
        return fitted

    def _moments(self, samples: Samples, rows: NDArray[np.int64], layer: str, scaling: Scaling,
                 ) -> tuple[Tensor, Tensor, Tensor]:
        """Mean over rows and clips of x x^T [D, D] and x y^T [D, C], and of y [C]; x has mean 0."""
        features = samples.features[layer]
        num_clips, dim = features.shape[1:]
        square = torch.zeros(dim, dim, dtype=torch.float64, device=self.device)
        product = torch.zeros(dim, self.num_classes, dtype=torch.float64, device=self.device)
        total = torch.zeros(self.num_classes, dtype=torch.float64, device=self.device)
        for block in row_blocks(rows):
            data = scaling(on_device(features[block], self.device)).double()
            targets = torch.from_numpy(soft_targets(samples.labels, block, self.num_classes)).to(self.device).double()
            square += data.T @ data
            product += data.T @ targets.repeat_interleave(num_clips, dim=0)
            total += targets.sum(dim=0)
        count = len(rows) * num_clips
        return square / count, product / count, total / len(rows)
