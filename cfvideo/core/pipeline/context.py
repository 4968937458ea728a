"""What every stage of one run is made from: the spec, its data sets, the modality, the device."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from cfvideo.core.datasets import DataSets, reading_from
from cfvideo.core.device import computes_on
from cfvideo.core.flops import forward_flops
from cfvideo.core.index import Index
from cfvideo.core.recipes import architecture
from cfvideo.core.records import Modality, Reading
from cfvideo.core.specs import NetworkSpec, RunSpec

# The untrained network is N_cf's architecture.
KEYS = {"n_pre": "N_PRE", "n_cf": "N_CF", "untrained": "N_CF"}


@dataclass(frozen=True)
class Context:
    """The part of a run that all stage makers read."""

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
        return {"computes on": computes_on(self.device, self.spec.system.threads),
                "DATA.DECODER": self.reading.decoder, "DATA.MAX_FRAME_PIXELS": self.spec.data.max_frame_pixels}

    def identity_of(self, index: Index) -> dict[str, str]:
        """What stands for a data set in fingerprints."""
        return self.data.identity_of(index)

    def network(self, name: str) -> NetworkSpec:
        """The spec of n_pre, or of n_cf, whose architecture the untrained network shares."""
        return self.spec.n_pre if name == "n_pre" else self.spec.n_cf

    def clip_flops(self, name: str) -> int:
        """FLOPs of one sample's forward pass."""
        return self._clip_flops["n_pre" if name == "n_pre" else "n_cf"]

    @cached_property
    def _clip_flops(self) -> dict[str, int]:
        return {name: self._forward(name) for name in ("n_pre", "n_cf")}

    def _forward(self, name: str) -> int:
        network = self.network(name)
        with torch.device("meta"):
            built = self.modality.build_network(num_classes=self._num_classes(name), **architecture(network))
        return forward_flops(built, self.modality.sample_shape(dataclasses.asdict(network.clip)))

    def _num_classes(self, name: str) -> int:
        known = len(self.data.d_pre.label_names) or 2  # 2: the data is not here yet, only the head's cost is off
        return known if name == "n_pre" else self.spec.cluster.num_clusters
