"""Which stage feeds which: a RunSpec and its data sets become a list of stages, in order. The only place where specs
meet stages; below it, functions take plain arguments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.config import flatten
from cfvideo.core.datasets import DataSets, cf_source, reading_from
from cfvideo.core.device import computes_on
from cfvideo.core.errors import ConfigError
from cfvideo.core.flops import TRAINING_FACTOR, forward_flops, kmeans_flops
from cfvideo.core.index import Index
from cfvideo.core.pseudo_labels import PseudoLabels
from cfvideo.core.recipes import architecture, recipe
from cfvideo.core.records import Modality
from cfvideo.core.specs import NetworkSpec, RunSpec
from cfvideo.core.stage import Cost, Stage, Workspace
from cfvideo.core.stages.cluster import LABELS, run_assign, run_cluster
from cfvideo.core.stages.extract import run_extract
from cfvideo.core.stages.probe import run_probe
from cfvideo.core.stages.report import Cover, run_report
from cfvideo.core.stages.train import run_train, run_untrained

STAGE_NAMES = ("untrained", "pretrain", "extract", "cluster", "assign", "train_cf", "probe", "report")
# The untrained network is N_cf's architecture.
KEYS = {"n_pre": "N_PRE", "n_cf": "N_CF", "untrained": "N_CF"}


@dataclass
class Pipeline:
    """Builds the stages of one run.

    statuses: fingerprint -> run | reused, filled while the run goes on, shown by the report.
    """

    spec: RunSpec
    modality: Modality
    data: DataSets
    device: torch.device
    cover: Cover
    statuses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spec, decoder = self.spec, self.modality.resolved_decoder(self.spec.data.decoder, self.device.type)
        self.reading = dataclasses.replace(reading_from(spec, self.data), decoder=decoder)
        self._common = {"computes on": computes_on(self.device, spec.system.threads), "DATA.DECODER": decoder,
                        "DATA.MAX_FRAME_PIXELS": spec.data.max_frame_pixels}
        self._clip_flops = {"n_pre": self._forward("n_pre"), "n_cf": self._forward("n_cf")}
        self._clip_flops["untrained"] = self._clip_flops["n_cf"]

    def network(self, name: str) -> NetworkSpec:
        """The spec of n_pre, or of n_cf, whose architecture the untrained network shares."""
        return self.spec.n_pre if name == "n_pre" else self.spec.n_cf

    def _forward(self, name: str) -> int:
        network = self.network(name)
        with torch.device("meta"):
            built = self.modality.build_network(num_classes=self._num_classes(name), **architecture(network))
        return forward_flops(built, self.modality.sample_shape(dataclasses.asdict(network.clip)))

    def _num_classes(self, name: str) -> int:
        known = len(self.data.d_pre.label_names) or 2  # 2: the data is not here yet, only the head's cost is off
        return known if name == "n_pre" else self.spec.cluster.num_clusters

    def stages(self) -> list[Stage]:
        """All stages, each after its inputs, the report last."""
        self._check_clusters()
        every = [stage for seed in self.spec.seeds for stage in self._of_seed(seed)]
        return [*every, self._report(every)]

    def _check_clusters(self) -> None:
        asked, d_cf = self.spec.cluster.num_clusters, self.data.d_cf
        if 0 < d_cf.num_rows < asked:
            raise ConfigError(f"CLUSTER.NUM_CLUSTERS: {asked} clusters asked of the {d_cf.num_rows} rows of D_CF; set "
                              f"it to at most {d_cf.num_rows}, or add videos")

    def _of_seed(self, seed: int) -> list[Stage]:
        untrained, n_pre = self._untrained(seed), self._pretrain(seed)
        features = self._extract(seed, "n_pre", n_pre, self.data.d_cf, "D_CF", self.spec.extract.num_clips, {},
                                 cf_source(self.spec).expected_rows)
        kmeans = self._cluster(seed, features)
        labels = self._assign(seed, features, kmeans)
        n_cf = self._train_cf(seed, labels)
        chain = [untrained, n_pre, features, kmeans, labels, n_cf]
        for name, stage in (("untrained", untrained), ("n_pre", n_pre), ("n_cf", n_cf)):
            for target in self.spec.d_tar:
                chain += self._probe(seed, name, stage, target)
        return chain

    def _untrained(self, seed: int) -> Stage:
        keys = {**flatten(self.spec.n_cf, "N_CF", neutral=False), "SEED": seed}
        keys = {key: value for key, value in keys.items() if ".SOLVER." not in key}
        own = recipe(self.spec.n_cf, "n_cf", seed)
        run = partial(run_untrained, modality=self.modality, recipe=own, num_classes=2)
        return Stage("untrained", f"seed {seed}", keys, {}, run, about={"seed": seed, "network": "untrained"})

    def _train(self, seed: int, name: str, stage_name: str, index: Index, inputs: Mapping[str, Stage],
               labels_of: Any) -> Stage:
        network = self.network(name)
        keys = {**flatten(network, KEYS[name], neutral=False), **self._common, "SEED": seed,
                **self.data.identity_of(index)}
        run = partial(run_train, modality=self.modality, index=index, recipe=recipe(network, name, seed),
                      reading=self.reading, labels_of=labels_of, device=self.device,
                      max_bad_share=self.spec.data.max_bad_share)
        samples = network.solver.max_samples
        cost = Cost(rows=samples, flops=float(TRAINING_FACTOR * samples * self._clip_flops[name]))
        return Stage(stage_name, f"seed {seed}: {name}", keys, inputs, run, cost, {"seed": seed, "network": name})

    def _pretrain(self, seed: int) -> Stage:
        index = self.data.d_pre

        def labels_of(_work: Workspace) -> tuple[NDArray[np.int32], int]:
            return index.picked_labels(seed), len(index.label_names)

        return self._train(seed, "n_pre", "pretrain", index, {}, labels_of)

    def _train_cf(self, seed: int, assigned: Stage) -> Stage:
        index = self.data.d_cf

        def labels_of(work: Workspace) -> tuple[NDArray[np.int32], int]:
            labels = PseudoLabels.load(work.inputs["labels"].file(LABELS), index_hash=index.content_hash)
            return labels.labels, labels.num_clusters

        return self._train(seed, "n_cf", "train_cf", index, {"labels": assigned}, labels_of)

    def _extract(self, seed: int, name: str, network: Stage, index: Index, where: str, num_clips: int,
                 about: Mapping[str, Any], expected: int) -> Stage:
        spec, clip = self.spec.extract, self.network(name).clip
        keys = {**flatten(clip, f"{KEYS[name]}.CLIP", neutral=False), **self._common, "clips": num_clips,
                "EXTRACT.LAYER": spec.layer, "EXTRACT.BATCH_SIZE": spec.batch_size, **self.data.identity_of(index)}
        run = partial(run_extract, modality=self.modality, index=index, view=dataclasses.asdict(clip),
                      layer=spec.layer, num_views=num_clips, batch_size=spec.batch_size, reading=self.reading,
                      shard_rows=spec.shard_rows, max_bad_share=self.spec.data.max_bad_share, device=self.device)
        rows = index.num_rows or expected
        cost = Cost(rows, float(rows * num_clips * self._clip_flops[name]), index.total_bytes,
                    rows * self.network(name).feature_dim * 2)
        return Stage("extract", f"seed {seed}: {name} on {where}", keys, {"network": network}, run, cost,
                     {"seed": seed, "network": name, **about})

    def _cluster(self, seed: int, features: Stage) -> Stage:
        spec = self.spec.cluster
        keys = {**flatten(spec, "CLUSTER", neutral=False), "SEED": seed}
        rows, dim = features.cost.rows, self.spec.n_pre.feature_dim
        used = min(rows, spec.max_points_per_centroid * spec.num_clusters or rows)
        cost = Cost(rows, kmeans_flops(used, dim, spec.num_clusters, spec.num_iterations),
                    features.cost.written_bytes * spec.num_iterations, spec.num_clusters * dim * 4)
        run = partial(run_cluster, seed=seed, **dataclasses.asdict(spec))
        return Stage("cluster", f"seed {seed}", keys, {"features": features}, run, cost, {"seed": seed})

    def _assign(self, seed: int, features: Stage, kmeans: Stage) -> Stage:
        index = self.data.d_cf
        run = partial(run_assign, index=index, known_labels=index.picked_labels(seed))
        rows, dim = features.cost.rows, self.spec.n_pre.feature_dim
        cost = Cost(rows, kmeans_flops(rows, dim, self.spec.cluster.num_clusters, 1), features.cost.written_bytes,
                    rows * 8)
        return Stage("assign", f"seed {seed}", {"index": index.content_hash}, {"features": features, "kmeans": kmeans},
                     run, cost, {"seed": seed})

    def _probe(self, seed: int, name: str, network: Stage, target: str) -> list[Stage]:
        train, test = self.data.targets[target]
        clips, expected = self.spec.probe.num_clips, self.spec.d_tar[target].expected_rows
        about = {"target": target}
        on_train = self._extract(seed, name, network, train, f"{target} train", clips, about, expected)
        on_test = self._extract(seed, name, network, test, f"{target} test", clips, about, 0)
        spec = self.spec.probe
        keys = {**flatten(spec, "PROBE", neutral=False), "SEED": seed, "train": train.content_hash,
                "test": test.content_hash}
        run = partial(run_probe, train=train, test=test, strengths=spec.strengths, holdout=spec.holdout,
                      max_iterations=spec.max_iterations, seed=seed)
        cost = Cost(rows=on_train.cost.rows + on_test.cost.rows)
        probe = Stage("probe", f"seed {seed}: {name} on {target}", keys, {"train": on_train, "test": on_test}, run,
                      cost, {"seed": seed, "network": name, **about})
        return [on_train, on_test, probe]

    def _report(self, every: list[Stage]) -> Stage:
        run = partial(run_report, stages=every, cover=self.cover, statuses=self.statuses, modality=self.modality,
                      d_cf=self.data.d_cf, reading=self.reading)
        inputs = {stage.fingerprint: stage for stage in every}
        return Stage("report", self.spec.name, {"config": self.cover.config_yaml}, inputs, run)
