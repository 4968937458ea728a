"""What every stage of one run is made from: the spec, its data sets, the modality, the device."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.backbone import GRID
from cfvideo.core.config import flatten
from cfvideo.core.datasets import DataSets, cf_source, reading_from
from cfvideo.core.device import computes_on
from cfvideo.core.errors import ConfigError
from cfvideo.core.index import Index
from cfvideo.core.label_space import noisy
from cfvideo.core.pipeline.imported import Imported, imported
from cfvideo.core.pipeline.shapes import Shapes, layer_dims, shapes
from cfvideo.core.recipes import architecture, view, without_task
from cfvideo.core.records import Modality, Reading
from cfvideo.core.specs import NetworkSpec, ProbeSpec, RunSpec


@dataclass(frozen=True, eq=False)
class Context:
    """The part of a run that all stage makers read.

    Networks go by name: n_pre, n_pre_2x, n_pre_<NAME> of MORE_N_PRE; every other name is of N_CF's architecture.
    """

    spec: RunSpec
    modality: Modality
    data: DataSets
    device: torch.device

    @cached_property
    def reading(self) -> Reading:
        """How this run reads media, with the decoder that is there."""
        decoder = self.modality.resolved_decoder(self.spec.data.decoder, self.device.type)
        return dataclasses.replace(reading_from(self.spec, self.data), decoder=decoder)

    @cached_property
    def common(self) -> dict[str, Any]:
        """Keys that decide the last bits of whatever a network computes of media."""
        return {"computes on": computes_on(self.device, self.spec.system.threads), "MODALITY": self.spec.modality,
                "DATA.DECODER": self.reading.decoder, "DATA.MAX_FRAME_PIXELS": self.spec.data.max_frame_pixels}

    def identity_of(self, index: Index) -> dict[str, str]:
        """What stands for a data set in fingerprints."""
        return self.data.identity_of(index)

    @lru_cache(maxsize=4)  # noqa: B019  # lives as the context does: several stages of a seed hold them, 4 bytes a row
    def labels(self, which: str, seed: int) -> NDArray[np.int32]:
        """int32 [N]: the one label per row of d_pre or d_cf that is learned; -1: none. Of several labels one is picked
        for good (paper, supplement C); synthetic noise, where asked for, is part of them."""
        index, source = (self.data.d_pre, self.spec.d_pre) if which == "d_pre" else (self.data.d_cf,
                                                                                      cf_source(self.spec))
        picked = index.picked_labels(seed)
        return noisy(picked, len(index.label_names), share=source.labels.noise, seed=seed)

    def probe(self, target: str) -> ProbeSpec:
        """How one target is judged: as PROBE says, but for what the target says itself. A whole picture is one view."""
        own, spec = self.spec.d_tar[target], self.spec.probe
        return dataclasses.replace(spec, methods=own.methods or spec.methods,
                                   num_clips=1 if own.squeeze else spec.num_clips,
                                   sgd=dataclasses.replace(spec.sgd, epochs=own.epochs or spec.sgd.epochs))

    def label_keys(self, which: str) -> dict[str, Any]:
        """What decides `labels`, beside the index and the seed, as keys of a fingerprint."""
        source = self.spec.d_pre if which == "d_pre" else cf_source(self.spec)
        return dict(flatten(source.labels, "LABELS", neutral=False))

    def key(self, name: str) -> str:
        """The config group of a network."""
        if name in ("n_pre", "n_pre_2x"):
            return "N_PRE"
        own = name.removeprefix("n_pre_")
        return f"MORE_N_PRE.{own}" if own != name else "N_CF"

    def network(self, name: str) -> NetworkSpec:
        """The keys of a network."""
        group, _, own = self.key(name).partition(".")
        if own:
            return self.spec.more_n_pre[own]
        return self.spec.n_pre if group == "N_PRE" else self.spec.n_cf

    def imported(self, name: str) -> Imported | None:
        """The finished network that stands in for this one, if its WEIGHTS name one."""
        path = self.network(name).weights
        return imported(path, f"{self.key(name)}.WEIGHTS") if path else None

    def architecture(self, name: str) -> Mapping[str, Any]:
        """The arguments of Modality.build_network."""
        given = self.imported(name)
        return given.architecture if given else architecture(self.network(name))

    def view(self, name: str) -> Mapping[str, Any]:
        """What the network is fed: that of its own file where it was imported."""
        given = self.imported(name)
        return given.view if given else view(self.network(name))

    def view_keys(self, name: str) -> dict[str, Any]:
        """The view, as keys of a fingerprint."""
        group = f"{self.key(name)}.CLIP"
        if self.imported(name):
            return {group: dict(self.view(name))}
        return dict(flatten(self.network(name).clip, group, neutral=False))

    def layers(self, name: str) -> tuple[str, ...]:
        """The layers a network has, from the input on."""
        return self._shapes(name).layers

    def feature_dim(self, name: str) -> int:
        """D of the network's last pooled feature."""
        return self._shapes(name).feature_dim

    def clip_flops(self, name: str, *, whole: bool = False) -> int:
        """FLOPs of one sample's forward pass. whole: of untouched samples, whatever the network's own task is."""
        return self._shapes(name, whole=whole).flops(self._num_classes(name))

    def fewest_items(self, name: str, *, whole: bool = False) -> int:
        """Items that must go through the network together in training: 2 where a batch norm's map is one pixel."""
        return self._shapes(name, whole=whole).fewest_items

    def are_alike(self, name: str, other: str) -> bool:
        """Whether two networks hold the same numbers, whatever their tasks, and however a file says what it holds."""
        return self._shapes(name, whole=True).tensors == self._shapes(other, whole=True).tensors

    def layer_dims(self, name: str, layers: tuple[str, ...]) -> Mapping[str, int]:
        """Numbers per pooled feature of each layer; ConfigError where the network has no such layer."""
        # Features are of untouched samples, whatever the task's own views are.
        sample = self.modality.sample_shape(without_task(self.view(name)))
        try:
            return layer_dims(self.modality.build_network, self._asked_in(name), self.architecture(name), sample,
                              layers)
        except ValueError as error:
            raise ConfigError(f"EXTRACT.LAYER, PROBE.LAYERS: {self.key(name)}: {error}") from error

    def num_cells(self, name: str, layers: tuple[str, ...]) -> Mapping[str, int]:
        """Cells per channel of each layer's pooled feature: 1 but for grids."""
        averaged = {layer: layer.removesuffix(GRID) for layer in layers}
        channels = self.layer_dims(name, tuple(dict.fromkeys(averaged.values())))
        return {layer: dim // channels[averaged[layer]] for layer, dim in self.layer_dims(name, layers).items()}

    def _shapes(self, name: str, *, whole: bool = False) -> Shapes:
        said, fed = self.architecture(name), self.view(name)
        if whole:
            said, fed = without_task(said), without_task(fed)
        return shapes(self.modality.build_network, self._asked_in(name), said, self.modality.sample_shape(fed))

    def _asked_in(self, name: str) -> str:
        given = self.imported(name)
        return str(given.path) if given else self.key(name)

    def _num_classes(self, name: str) -> int:
        if self.key(name) == "N_CF":
            return self.spec.cluster.num_clusters
        asked = self.modality.pretext_classes(self.network(name).task, self.view(name))
        # 2: the data is not here yet, only the head's cost is off.
        return asked or len(self.data.d_pre.label_names) or 2
