"""Linear probes: multinomial logistic regression on frozen, standardised features.

The inverse L2 penalty is chosen on held-out training rows; the test rows are looked at once, at the end. Shapes: N
rows, D feature, C classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.metrics import hit_at
from cfvideo.core.randomness import numpy_generator

Features = NDArray[np.float32]
# One or several labels per row.
LabelSets = Sequence[NDArray[np.int32]]


@dataclass(frozen=True)
class ProbeOutcome:
    """top1, top5: shares of test rows; strength: the inverse penalty chosen; holdout: its score there."""

    top1: float
    top5: float
    strength: float
    holdout: float
    num_unconverged: int


class _Probe:
    """Standardise, then fit; a row with several labels counts once, shared equally among them."""

    def __init__(self, features: Features, labels: LabelSets, *, strength: float, max_iterations: int) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        self.mean, self.std = features.mean(axis=0), features.std(axis=0) + np.float32(1e-6)
        rows = np.repeat(np.arange(len(labels)), [len(own) for own in labels])
        weights = np.repeat([1.0 / len(own) for own in labels], [len(own) for own in labels])
        self.model = LogisticRegression(C=strength, max_iter=max_iterations, tol=1e-4)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            self.model.fit(self._standardised(features)[rows], np.concatenate(labels), sample_weight=weights)
        self.converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)

    def _standardised(self, features: Features) -> NDArray[np.float64]:
        standardised: NDArray[np.float64] = ((features - self.mean) / self.std).astype(np.float64)
        return standardised

    def scores(self, features: Features, num_classes: int) -> NDArray[np.float64]:
        """Log-probabilities [N, num_classes]; classes never seen in training score -inf."""
        with np.errstate(divide="ignore"):  # a probability that rounds to 0 ranks last, as it should
            seen = self.model.predict_log_proba(self._standardised(features))
        out = np.full((len(features), num_classes), -np.inf)
        out[:, self.model.classes_] = seen
        return out


def split_holdout(classes: NDArray[np.int32], *, share: float, seed: int,
                  ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Seeded parts of the training rows: those that fit and those that choose.

    classes: int [N], one label per row. `share` of each class is held out, rounded down, so that no class is lost to
    the fit; where that holds out nothing, the largest class gives one row.
    """
    order = numpy_generator(seed, "holdout").permutation(len(classes))
    held: list[np.int64] = []
    for label in np.unique(classes):
        own = order[classes[order] == label]
        held.extend(own[:int(share * len(own))])
    if not held:
        held = [order[classes[order] == np.bincount(classes).argmax()][0]]
    rest = np.setdiff1d(order, held)
    return rest, np.sort(np.asarray(held, np.int64))


def linear_probe(train: tuple[Features, LabelSets], test: tuple[Features, LabelSets], *, num_classes: int,
                 strengths: Sequence[float], holdout: float, max_iterations: int, seed: int) -> ProbeOutcome:
    """Choose a strength on held-out training rows, refit on all of them, score the test rows once."""
    features, labels = train
    fit_rows, held_rows = split_holdout(np.asarray([own[0] for own in labels]), share=holdout, seed=seed)
    tried = []
    for strength in strengths:
        probe = _Probe(features[fit_rows], [labels[row] for row in fit_rows], strength=strength,
                       max_iterations=max_iterations)
        held = hit_at(1, probe.scores(features[held_rows], num_classes), [labels[row] for row in held_rows])
        tried.append((held, strength, probe.converged))
    # The stronger penalty wins a tie: it is the simpler classifier.
    best = max(tried, key=lambda one: (one[0], -one[1]))
    final = _Probe(features, labels, strength=best[1], max_iterations=max_iterations)
    scores = final.scores(test[0], num_classes)
    return ProbeOutcome(hit_at(1, scores, test[1]), hit_at(5, scores, test[1]), best[1], best[0],
                        sum(not converged for _, _, converged in tried) + (not final.converged))
