"""Which stage feeds which: a RunSpec and its data sets become a list of stages, in order. This package is the only
place where specs meet stages; below it, functions take plain arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from cfvideo.core.datasets import DataSets
from cfvideo.core.pipeline.baselines import baseline_stages
from cfvideo.core.pipeline.clusters import assign_stage, check_clusters, cluster_stage
from cfvideo.core.pipeline.consensus import consensus_stages
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.enough import check_labels
from cfvideo.core.pipeline.features import cf_features_stage
from cfvideo.core.pipeline.finetune import finetune_stages
from cfvideo.core.pipeline.rows import Wired
from cfvideo.core.pipeline.study import Study
from cfvideo.core.pipeline.training import pretrain_stage, train_cf_stage, untrained_stage
from cfvideo.core.pipeline.transfer import transfer_stages
from cfvideo.core.records import Modality
from cfvideo.core.specs import RunSpec
from cfvideo.core.stage import Stage
from cfvideo.core.stages.cluster import CONSENSUS
from cfvideo.core.stages.report import Cover

STAGE_NAMES = ("untrained", "pretrain", "extract", "cluster", "assign", "train_cf", "probe", "finetune", "score",
               "report")


@dataclass
class Pipeline:
    """Builds the stages of one run."""

    spec: RunSpec
    modality: Modality
    data: DataSets
    device: torch.device
    cover: Cover

    def __post_init__(self) -> None:
        self.context = Context(self.spec, self.modality, self.data, self.device)

    @cached_property
    def work(self) -> list[Stage]:
        """All stages but the report, each after its inputs."""
        check_labels(self.context)
        check_clusters(self.context)
        return [stage for seed in self.spec.seeds for stage in self._of_seed(seed)]

    @cached_property
    def study(self) -> Study:
        """This run with its report."""
        return Study([self.context], [Wired({}, self.work)], self.cover)

    def stages(self) -> list[Stage]:
        """All stages, each after its inputs, the report last."""
        return self.study.stages()

    def _of_seed(self, seed: int) -> list[Stage]:
        """One seed's chain; `judged` are the networks that every target probes, in the order of the tables."""
        context, spec = self.context, self.spec
        untrained, n_pre = untrained_stage(context, seed), pretrain_stage(context, seed)
        chain, judged = [untrained, n_pre], {"untrained": untrained, "n_pre": n_pre}
        features = cf_features_stage(context, seed, "n_pre", n_pre)
        chain.append(features)
        for name, stages in baseline_stages(context, seed, n_pre, features).items():
            chain += stages
            judged[name] = stages[-1]
        sets = [self._clusterfit(seed, "n_cf", features, chain, judged, self._restarts)]
        sets += [self._further(seed, own, chain, judged) for own in spec.more_n_pre]
        if self._combines:
            kmeans, labels = consensus_stages(context, seed, [one for of_network in sets for one in of_network])
            judged["n_cf"] = train_cf_stage(context, seed, "n_cf", [labels])
            chain += [kmeans, labels, judged["n_cf"]]
        self._rounds(seed, chain, judged)
        if spec.more_n_pre:
            judged["n_cf_multi_task"] = train_cf_stage(context, seed, "n_cf_multi_task", [first for first, *_ in sets])
            chain.append(judged["n_cf_multi_task"])
        for name, stage in judged.items():
            for target in spec.d_tar:
                chain += transfer_stages(context, seed, name, stage, target)
            for target in spec.finetune.targets:
                chain += finetune_stages(context, seed, name, stage, target)
        return chain

    @property
    def _combines(self) -> bool:
        return self.spec.cluster.method == CONSENSUS

    @property
    def _restarts(self) -> int:
        """How many labellings of one network a consensus is made of."""
        return self.spec.cluster.num_restarts if self._combines else 1

    def _clusterfit(self, seed: int, name: str, features: Stage, chain: list[Stage], judged: dict[str, Stage],
                    restarts: int = 1) -> list[Stage]:
        """Clusters of one network's features and the N_cf `name` on them; returns the stages with the pseudo-labels.

        `name` learns the first of `restarts` labellings; but for a consensus n_cf learns all networks' together.
        """
        sets = []
        for restart in range(restarts):
            own = f"{features.about['network']}_fit{restart + 1}" if self._combines else name
            kmeans = cluster_stage(self.context, seed, features, own, restart=restart)
            sets.append(assign_stage(self.context, seed, features, kmeans))
            chain += [kmeans, sets[-1]]
        if not (self._combines and name == "n_cf"):
            judged[name] = train_cf_stage(self.context, seed, name, sets[:1])
            chain.append(judged[name])
        return sets

    def _rounds(self, seed: int, chain: list[Stage], judged: dict[str, Stage]) -> None:
        """ClusterFit again and again, each time with the N_cf before in N_pre's place."""
        before = "n_cf"
        for number in range(2, self.spec.rounds + 1):
            features = cf_features_stage(self.context, seed, before, judged[before])
            chain.append(features)
            before = f"n_cf_round{number}"
            self._clusterfit(seed, before, features, chain, judged)

    def _further(self, seed: int, own: str, chain: list[Stage], judged: dict[str, Stage]) -> list[Stage]:
        """A further N_pre with its own clusters and N_cf."""
        name = f"n_pre_{own}"
        judged[name] = pretrain_stage(self.context, seed, name)
        features = cf_features_stage(self.context, seed, name, judged[name])
        chain += [judged[name], features]
        return self._clusterfit(seed, f"n_cf_{own}", features, chain, judged, self._restarts)
