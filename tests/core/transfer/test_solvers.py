"""lbfgs, ridge and knn against what they are defined as."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression, Ridge

from cfvideo.core.transfer.knn import KnnSolver
from cfvideo.core.transfer.lbfgs import LbfgsSolver
from cfvideo.core.transfer.ridge import RidgeSolver
from tests.core.transfer.blobs import NUM_CLASSES, blobs, relabelled

CPU = torch.device("cpu")


def _standardised(features: np.ndarray) -> np.ndarray:
    flat = features.reshape(-1, features.shape[-1]).astype(np.float64)
    return (flat - flat.mean(axis=0)) / flat.std(axis=0)


def test_lbfgs_is_scikit_learns_logistic_regression() -> None:
    samples = blobs(120, 0, distance=1.0)
    solver = LbfgsSolver(num_classes=NUM_CLASSES, strengths=(10.0, 0.1), max_iterations=500)
    labels = np.concatenate(samples.labels)
    found = solver.fit(samples, np.arange(120), {"res5": solver.grid})["res5"].scores(samples.features["res5"])
    data = _standardised(samples.features["res5"])
    for strength, scores in zip((0.1, 10.0), found, strict=True):
        model = LogisticRegression(C=strength, max_iter=500).fit(data, labels)
        np.testing.assert_allclose(scores, model.predict_log_proba(data), atol=1e-3)


def test_lbfgs_counts_a_row_once_whatever_its_clips() -> None:
    """Six equal clips are one clip; different clips average their probabilities."""
    one = blobs(90, 0, distance=1.0)
    six = replace(one, features={"res5": np.repeat(one.features["res5"], 6, axis=1)})
    solver = LbfgsSolver(num_classes=NUM_CLASSES, strengths=(1.0,), max_iterations=500)
    models = [solver.fit(samples, np.arange(90), {"res5": solver.grid})["res5"] for samples in (one, six)]
    test = blobs(40, 1, num_clips=3).features["res5"]
    scores = [next(model.scores(test)) for model in models]
    np.testing.assert_allclose(*scores, atol=1e-3)
    clips = np.stack([next(models[0].scores(test[:, clip:clip + 1])) for clip in range(3)])
    np.testing.assert_allclose(scores[0], logsumexp(clips, axis=0) - np.log(3), atol=1e-9)


def test_ridge_is_scikit_learns_ridge() -> None:
    samples = blobs(130, 0, distance=1.0, num_clips=2)
    solver = RidgeSolver(num_classes=NUM_CLASSES, strengths=(0.5, 50.0), device=CPU)
    found = solver.fit(samples, np.arange(130), {"res5": solver.grid})["res5"].scores(samples.features["res5"])
    data = _standardised(samples.features["res5"])
    targets = np.repeat(np.eye(NUM_CLASSES)[np.concatenate(samples.labels)], 2, axis=0)
    for strength, scores in zip((0.5, 50.0), found, strict=True):
        expected = Ridge(alpha=len(data) / strength).fit(data, targets).predict(data)
        np.testing.assert_allclose(scores, expected.reshape(130, 2, -1).mean(axis=1), atol=1e-5)


def test_knn_is_the_weighted_vote_of_the_most_similar_rows() -> None:
    samples = blobs(60, 0, distance=0.5, num_clips=2)
    samples = relabelled(samples, [[*own, (own[0] + 1) % 3] if row % 4 == 0 else own.tolist()
                                   for row, own in enumerate(samples.labels)])
    test = blobs(25, 1, num_clips=2).features["res5"]
    solver = KnnSolver(num_classes=NUM_CLASSES, neighbours=(3, 10, 500), device=CPU)
    found = list(solver.fit(samples, np.arange(60), {"res5": solver.grid})["res5"].scores(test))
    unit = [data.mean(axis=1) / np.linalg.norm(data.mean(axis=1), axis=1, keepdims=True)
            for data in (samples.features["res5"], test)]
    for count, scores in zip((60, 10, 3), found, strict=True):
        for row in range(25):
            similar = unit[0] @ unit[1][row]
            votes = np.zeros(NUM_CLASSES)
            for near in np.argsort(-similar)[:count]:
                for label in samples.labels[near]:
                    votes[label] += np.exp((similar[near] - similar.max()) / 0.07) / len(samples.labels[near])
            np.testing.assert_allclose(np.exp(scores[row]), votes, rtol=1e-4, atol=1e-12)
