"""What a report shows: records that check themselves. K clusters, H W height and width of a picture in pixels.

A record refuses what would make the page lie (a percentage where a fraction belongs, sizes that do not sum up to
their own counts) with a ValueError, because that is a mistake in the stage that built it and not a user's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.report.layout import Layout


def _check_fractions(owner: str, values: Iterable[tuple[str, float]]) -> None:
    for name, value in values:
        if not 0.0 <= value <= 1.0:  # NaN fails too
            raise ValueError(f"{owner}: {name} is {value!r}, but must be a fraction from 0 to 1, not a percentage")


def _check_equal_lengths(owner: str, **parts: Sequence[object] | NDArray[np.generic]) -> None:
    lengths = {name: len(part) for name, part in parts.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{owner}: lengths disagree: {lengths}")


@dataclass(frozen=True)
class ProbeResult:
    """What one yardstick found of one network on one target, first of all a linear probe on its frozen features.

    network: untrained, n_pre, n_cf, or a further one (n_pre_2x, n_cf_k400, ...).
    metrics: fractions by name; the first of METRIC_ORDER that is present is the headline.
    num_test_rows: rows the metrics were computed on; num_invalid_rows, num_unlabelled_rows: test rows left
    out of them because they could not be decoded, or were but have no label.
    strength: the inverse L2 penalty chosen on held-out training rows, None where there is none. method, layer: what the
    metrics are of; protocol: what else a reader must know to compare them. results: metrics of every method and layer.
    low_shot: layer -> rows per class -> mean, std, min and max of the mAP of SVMs from so few, over the draws;
    low_shot_on_test: whether test rows chose their costs.
    """

    network: str
    target: str
    seed: int
    metrics: Mapping[str, float]
    num_test_rows: int
    num_invalid_rows: int
    strength: float | None
    method: str = "linear"
    layer: str = "res5"
    protocol: Mapping[str, object] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    low_shot: Mapping[str, Mapping[int, Mapping[str, float]]] = field(default_factory=dict)
    low_shot_on_test: bool = False
    num_unlabelled_rows: int = 0

    def __post_init__(self) -> None:
        owner = f"probe of {self.network} on {self.target}, seed {self.seed}"
        if not self.metrics:
            raise ValueError(f"{owner}: no metrics")
        _check_fractions(owner, self.metrics.items())
        for method, layers in self.results.items():
            for layer, metrics in layers.items():
                _check_fractions(f"{owner}, {method} on {layer}", metrics.items())
        for layer, shots in self.low_shot.items():
            for shot, metrics in shots.items():
                _check_fractions(f"{owner}, {shot} rows per class on {layer}", metrics.items())


@dataclass(frozen=True)
class TrainingCurve:
    """How one network was trained: loss and training accuracy on its own labels after so many samples.

    final_label_accuracy: share of its own training labels the finished network gives back; None: not measured.
    """

    network: str
    seed: int
    samples: Sequence[int]
    loss: Sequence[float]
    accuracy: Sequence[float]
    final_label_accuracy: float | None

    def __post_init__(self) -> None:
        owner = f"curve of {self.network}, seed {self.seed}"
        _check_equal_lengths(owner, samples=self.samples, loss=self.loss, accuracy=self.accuracy)
        if self.final_label_accuracy is not None:
            _check_fractions(owner, [("final_label_accuracy", self.final_label_accuracy)])


@dataclass(frozen=True)
class ClusterSummary:
    """k-means of one seed: rows per cluster int [K], the objective after each iteration, share of the rows used.

    network: which network learns these clusters. share_moved: of the rows, in each iteration. scores: agreement with
    other labels and the like, by name (for example NMI with the tags).
    """

    seed: int
    num_clusters: int
    sizes: NDArray[np.int64]
    objective: Sequence[float]
    share_of_points: float
    num_empty: int
    scores: Mapping[str, float] = field(default_factory=dict)
    network: str = "n_cf"
    share_moved: Sequence[float] = ()

    def __post_init__(self) -> None:
        owner = f"clusters of seed {self.seed}"
        if len(self.sizes) != self.num_clusters or self.num_clusters < 1:
            raise ValueError(f"{owner}: {len(self.sizes)} sizes for {self.num_clusters} clusters")
        if self.num_empty != int((np.asarray(self.sizes) == 0).sum()):
            raise ValueError(f"{owner}: num_empty is {self.num_empty}, but the sizes say otherwise")
        _check_fractions(owner, [("share_of_points", self.share_of_points),
                                 *(("share_moved", share) for share in self.share_moved)])


@dataclass(frozen=True)
class ContactSheet:
    """The members of one cluster nearest to its centroid: uint8 [H, W, 3] pictures (None: undecodable), captions,
    distances to the centroid in the units of the clustered features."""

    seed: int
    cluster: int
    size: int
    pictures: Sequence[NDArray[np.uint8] | None]
    captions: Sequence[str]
    distances: Sequence[float]
    network: str = "n_cf"

    def __post_init__(self) -> None:
        owner = f"contact sheet of cluster {self.cluster}, seed {self.seed}"
        _check_equal_lengths(owner, pictures=self.pictures, captions=self.captions, distances=self.distances)
        for picture in self.pictures:
            if picture is not None and (picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3):
                raise ValueError(f"{owner}: a picture is {picture.dtype} {picture.shape}, not uint8 [H, W, 3]")


@dataclass(frozen=True)
class FailureLine:
    """A row that could not be read, as in failures.csv. dataset: the stage that met it; index: hash of its data's."""

    dataset: str
    row: int
    path: str
    status: str
    cause: str
    index: str = ""


@dataclass(frozen=True)
class StageLine:
    """One stage of the run. status: run or reused; seconds: None where it is not known; rows: None where none."""

    stage: str
    role: str
    fingerprint: str
    seconds: float | None
    status: str
    rows: int | None


@dataclass(frozen=True)
class ReportData:
    """All that one page shows. expectation: what the paper would predict here; facts: versions, hashes, data."""

    title: str
    command: str
    config_yaml: str
    probes: Sequence[ProbeResult] = ()
    curves: Sequence[TrainingCurve] = ()
    clusters: Sequence[ClusterSummary] = ()
    sheets: Sequence[ContactSheet] = ()
    failures: Sequence[FailureLine] = ()
    stages: Sequence[StageLine] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    expectation: str = ""
    notes: Sequence[str] = ()
    layout: Layout = field(default_factory=Layout)

    def __post_init__(self) -> None:
        keys = [(probe.target, probe.network, probe.seed) for probe in self.probes]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"two probes of the same target, network and seed: {twice}")
