"""Weighted k nearest neighbours by cosine similarity: a yardstick that trains nothing.

A neighbour of similarity s votes exp(s / 0.07) for its labels (Wu et al. 2018; DINO's eval_knn.py uses the same).
Features are used as they are, without their mean removed: that is the common protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from cfvideo.core.transfer.samples import Features, LabelSets, Samples, Scores
from cfvideo.core.transfer.solver import Setting, Tick, no_tick

_TEMPERATURE = 0.07
# Similarities held at a time; constant, because the last bits of a product depend on its shape.
_MOST_SIMILARITIES = 1 << 26


class _Fitted:
    """data: unit vectors [N, D] and their labels."""

    num_unconverged = 0

    def __init__(self, data: Tensor, labels: LabelSets, settings: Sequence[Setting],
                 num_classes: int) -> None:
        self.data, self.labels, self.num_classes = data, labels, num_classes
        self.counts = [min(int(setting["neighbours"]), len(data)) for setting in settings]

    def scores(self, features: Features) -> Iterator[Scores]:
        """Log of the votes; a class without a vote scores -inf."""
        similar, nearest = self._neighbours(features)
        # Divided by the best neighbour's vote, which changes no order and cannot overflow.
        weights = np.exp((similar - similar[:, :1]) / _TEMPERATURE)
        for count in self.counts:
            with np.errstate(divide="ignore"):
                yield np.log(self._votes(weights[:, :count], nearest[:, :count]))

    def _votes(self, weights: NDArray[np.float64], nearest: NDArray[np.int64]) -> NDArray[np.float64]:
        """[B, k] weights and rows -> [B, C]; a neighbour's vote is shared equally among its labels."""
        own = [self.labels[row] for row in nearest.ravel().tolist()]
        counts = [len(labels) for labels in own]
        places = np.repeat(np.arange(len(nearest)), nearest.shape[1]) * self.num_classes
        ballots = np.repeat(places, counts) + np.concatenate(own)
        votes = np.zeros(len(nearest) * self.num_classes)
        np.add.at(votes, ballots, np.repeat(weights.ravel() / counts, counts))
        return votes.reshape(len(nearest), self.num_classes)

    def _neighbours(self, features: Features) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Similarities and rows of the nearest, the nearest first, each [B, largest k]."""
        size = max(1, _MOST_SIMILARITIES // len(self.data))
        found = [(_unit(features[start:start + size], self.data.device) @ self.data.T).topk(max(self.counts), dim=1)
                 for start in range(0, len(features), size)]
        similar = torch.cat([one.values for one in found]).double().cpu().numpy()
        return similar, torch.cat([one.indices for one in found]).cpu().numpy()


def _unit(features: Features, device: torch.device) -> Tensor:
    """[N, n, D] -> unit vectors float32 [N, D] of the mean clip."""
    means = features.mean(axis=1, dtype=np.float32)
    return normalize(torch.from_numpy(means).to(device), dim=1)


class KnnSolver:
    """Solver; neighbours: the k tried."""

    def __init__(self, *, num_classes: int, neighbours: Sequence[int], device: torch.device) -> None:
        self.num_classes, self.device = num_classes, device
        # More neighbours make the smoother, that is the simpler classifier.
        self.grid: Sequence[Setting] = [{"neighbours": count} for count in sorted(neighbours, reverse=True)]

    def num_ticks(self, num_rows: int, num_settings: int, num_layers: int) -> int:
        return num_layers

    def fit(self, samples: Samples, rows: NDArray[np.int64], settings: Mapping[str, Sequence[Setting]], *,
            tick: Tick = no_tick) -> Mapping[str, _Fitted]:
        labels = [samples.labels[row] for row in rows]
        fitted = {}
        for layer, wanted in settings.items():
            fitted[layer] = _Fitted(_unit(samples.features[layer][rows], self.device), labels, wanted,
                                    self.num_classes)
            tick()
        return fitted
