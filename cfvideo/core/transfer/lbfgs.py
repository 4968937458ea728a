"""Multinomial logistic regression by scikit-learn's L-BFGS, one fit per inverse penalty."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from cfvideo.core.transfer.samples import Features, LabelSets, Samples, Scores
from cfvideo.core.transfer.solver import Setting, Tick, no_tick


class _Logistic:
    """Standardise, then fit; a row counts once, shared equally among its clips and labels."""

    def __init__(self, features: Features, labels: LabelSets, *, strength: float, max_iterations: int) -> None:
        from sklearn.dummy import DummyClassifier
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        num_clips = features.shape[1]
        flat = _flat(features)
        self.mean, self.std = flat.mean(axis=0), flat.std(axis=0) + np.float32(1e-6)
        counts = [len(own) for own in labels for _ in range(num_clips)]
        classes = np.concatenate([own for own in labels for _ in range(num_clips)])
        weights = np.repeat([1.0 / (count * num_clips) for count in counts], counts)
        # Held-out rows may leave the fit a single class, which the dummy gives every row and a regression refuses.
        self.model = (LogisticRegression(C=strength, max_iter=max_iterations, tol=1e-4) if len(np.unique(classes)) > 1
                      else DummyClassifier())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            self.model.fit(self._standardised(flat)[np.repeat(np.arange(len(flat)), counts)], classes,
                           sample_weight=weights)
        self.converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)

    def _standardised(self, flat: NDArray[np.float32]) -> NDArray[np.float64]:
        standardised: NDArray[np.float64] = ((flat - self.mean) / self.std).astype(np.float64)
        return standardised

    def scores(self, features: Features, num_classes: int) -> Scores:
        """Log of the mean probability over a row's clips; classes never seen in training score -inf."""
        with np.errstate(divide="ignore"):  # a probability that rounds to 0 ranks last, as it should
            seen = self.model.predict_log_proba(self._standardised(_flat(features)))
            seen = logsumexp(seen.reshape(*features.shape[:2], -1), axis=1) - np.log(features.shape[1])
        out = np.full((len(features), num_classes), -np.inf)
        out[:, self.model.classes_] = seen
        return out


def _flat(features: Features) -> NDArray[np.float32]:
    """[N, n, D] -> float32 [N n, D]."""
    return features.reshape(-1, features.shape[2]).astype(np.float32, copy=False)


class _Fitted:
    def __init__(self, models: Sequence[_Logistic], num_classes: int) -> None:
        self.models, self.num_classes = models, num_classes
        self.num_unconverged = sum(not model.converged for model in models)

    def scores(self, features: Features) -> Iterator[Scores]:
        for model in self.models:
            yield model.scores(features, self.num_classes)


class LbfgsSolver:
    """Solver; strengths: inverse L2 penalties, scikit-learn's C."""

    def __init__(self, *, num_classes: int, strengths: Sequence[float], max_iterations: int) -> None:
        self.num_classes, self.max_iterations = num_classes, max_iterations
        self.grid: Sequence[Setting] = [{"strength": strength} for strength in sorted(strengths)]

    def num_ticks(self, num_rows: int, num_settings: int, num_layers: int) -> int:
        return num_settings * num_layers

    def fit(self, samples: Samples, rows: NDArray[np.int64], settings: Mapping[str, Sequence[Setting]], *,
            tick: Tick = no_tick) -> Mapping[str, _Fitted]:
        labels = [samples.labels[row] for row in rows]
        fitted = {}
        for layer, wanted in settings.items():
            features, models = samples.features[layer][rows], []
            for setting in wanted:
                models.append(_Logistic(features, labels, strength=setting["strength"],
                                        max_iterations=self.max_iterations))
                tick()
            fitted[layer] = _Fitted(models, self.num_classes)
        return fitted
