"""Small made-up features whose classes can be told apart, and a way to run one solver on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_info

from cfvideo.core.transfer.choice import Chosen, Outcome
from cfvideo.core.transfer.samples import Samples
from cfvideo.core.transfer.solver import Solver

NUM_CLASSES = 3


def blobs(num_rows: int, seed: int, *, num_clips: int = 1, distance: float = 4.0, dims: Sequence[int] = (3,),
          ) -> Samples:
    """Normal noise around one corner per class; one layer per entry of dims."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(NUM_CLASSES, size=num_rows)
    features = {}
    for layer, dim in enumerate(dims):
        noise = rng.normal(size=(num_rows, num_clips, dim))
        features[f"res{layer + 5 - len(dims) + 1}"] = (np.eye(NUM_CLASSES, dim)[labels][:, None] * distance
                                                       + noise).astype(np.float32)
    return Samples(features, [np.array([label], np.int32) for label in labels])


def blas_threads() -> set[int]:
    """In how many threads the libraries multiply that NumPy and SciPy came with. faiss brings one over OpenMP, which
    answers each thread for itself; ours does not use it."""
    return {one["num_threads"] for one in threadpool_info()
            if one["user_api"] == "blas" and one.get("threading_layer") != "openmp"}


def relabelled(samples: Samples, labels: Sequence[Sequence[int]]) -> Samples:
    return Samples(samples.features, [np.array(own, np.int32) for own in labels])


def judge(solver: Solver, train: Samples, test: Samples, num_classes: int = NUM_CLASSES) -> dict[str, Outcome]:
    return Chosen(solver, num_classes=num_classes, holdout=0.25, seed=0)(train, test)
