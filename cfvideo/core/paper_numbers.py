"""The paper's own results (Tables 4 to 8), for the runs whose setting is the paper's, and for no others.

The setting is: the architectures of N_pre and N_cf, for video the clip, what N_pre learns, D_cf = D_pre, K, the layers
probed, and targets that have the paper's name, number of classes and yardstick. The paper's weakly labelled D_pre was
never published, so that always differs; but its labels must be weak ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cfvideo.core.specs import ClipSpec, LabelSpec, NetworkSpec, RunSpec

_Values = tuple[float, ...]
# How weak labels lie on disk; an index or shards may hold any.
_WEAK = ("weak_labels", "index", "tar")


@dataclass(frozen=True)
class _Table:
    """targets: (number of classes, names without case and signs), in the order of the values, which are per cent.
    layers: what was probed; of several the best."""

    targets: tuple[tuple[int, tuple[str, ...]], ...]
    networks: Mapping[str, _Values]
    by_num_clusters: Mapping[int, _Values]
    layers: tuple[str, ...] = ("res5",)

    def of(self, network: str, num_clusters: int) -> _Values | None:
        return self.by_num_clusters.get(num_clusters) if network == "n_cf" else self.networks.get(network)


_KINETICS = (400, ("kinetics", "kinetics400", "k400"))
_SPORTS = (487, ("sports1m",))
_SOMETHING = (174, ("sthsthv1", "somethingsomethingv1", "sthv1", "ssv1"))
_IMAGENET_1K = (1000, ("imagenet", "imagenet1k", "in1k"))
_IMAGENET_9K = (9000, ("imagenet9k", "in9k"))
_PLACES365, _PLACES205 = (365, ("places365",)), (205, ("places205",))
_INATURALIST = (8142, ("inaturalist", "inaturalist2018", "inat", "inat2018"))
_VOC = (20, ("voc07", "voc2007"))

_TABLE_4 = _Table(
    (_IMAGENET_1K, _IMAGENET_9K, _PLACES365, _INATURALIST),
    {"n_pre": (78.0, 32.9, 51.2, 43.9), "n_pre_2x": (78.8, 34.1, 51.2, 45.3), "distillation": (73.8, 29.1, 49.9, 35.9),
     "prototype": (76.9, 35.1, 51.9, 49.0)},
    {1500: (75.3, 33.5, 52.0, 43.8), 3750: (76.1, 35.4, 52.1, 46.4), 7500: (76.5, 36.4, 52.4, 47.9),
     15000: (76.5, 37.1, 52.6, 49.7), 30000: (76.2, 37.5, 52.1, 49.5)})
_TABLE_5 = _Table(
    (_KINETICS, _SPORTS, _SOMETHING),
    {"n_pre": (68.8, 52.9, 16.9), "n_pre_2x": (69.2, 53.1, 16.4), "distillation": (63.6, 48.4, 15.6),
     "prototype": (70.3, 55.1, 20.3)},
    {400: (70.1, 55.8, 20.2), 800: (71.2, 56.6, 20.0), 1600: (71.2, 57.1, 20.6), 3200: (71.5, 57.2, 19.3),
     6400: (72.0, 57.2, 19.7)})
_SELF_SUPERVISED = (_IMAGENET_1K, _VOC, _PLACES205, _INATURALIST)
_GRIDS = tuple(f"{layer}.grid" for layer in ("conv1", "res2", "res3", "res4", "res5"))
# Tables 6 and 7; Table 8 repeats them and adds the multi-task network.
_BY_TASK = {
    "jigsaw": _Table(_SELF_SUPERVISED, {"n_pre": (46.0, 66.1, 39.9, 22.1), "n_pre_2x": (45.1, 65.4, 38.7, 21.8)},
                     {1000: (50.2, 66.2, 42.5, 24.5), 4000: (51.6, 67.8, 42.4, 27.2), 16000: (55.2, 69.5, 45.0, 29.8)},
                     _GRIDS),
    "rotnet": _Table(_SELF_SUPERVISED, {"n_pre": (48.9, 63.9, 41.4, 23.0), "n_pre_2x": (50.0, 64.9, 42.9, 25.3)},
                     {1000: (51.8, 67.2, 42.6, 25.2), 4000: (52.3, 67.4, 43.4, 26.8), 16000: (56.1, 70.9, 44.8, 28.4)},
                     _GRIDS)}
_MULTI_TASK = _Table(_SELF_SUPERVISED, {}, {16000: (57.0, 72.8, 46.2, 31.6)}, _GRIDS)


def reference(spec: RunSpec, network: str, num_classes: Mapping[str, int]) -> dict[str, float]:
    """target -> the paper's value (a fraction) for `network` of this run; empty where the setting is not the paper's.

    num_classes: of each target's training split.
    """
    network, table = _place(spec, network)
    values = table.of(network, spec.cluster.num_clusters) if table else None
    differs = spec.d_cf.path or spec.d_pre.labels != LabelSpec() or spec.cluster.method != "unsupervised"
    if table is None or values is None or differs or set(spec.probe.layers) != set(table.layers):
        return {}
    found = {}
    for target, classes in num_classes.items():
        for (known_classes, names), value in zip(table.targets, values, strict=True):
            method = "svm" if names == _VOC[1] else "linear"
            if (re.sub(r"[^a-z0-9]", "", target.lower()) in names and classes == known_classes
                    and (spec.d_tar[target].methods or spec.probe.methods)[0] == method):
                found[target] = value / 100
    return found


def _place(spec: RunSpec, network: str) -> tuple[str, _Table | None]:
    """The network's name in the paper's table, and the table; None where there is none for it."""
    if network == "n_cf_multi_task":
        tasks = sorted([spec.n_pre.task, *(one.task for one in spec.more_n_pre.values())])
        every = [_table(spec, one) for one in (spec.n_pre, *spec.more_n_pre.values())]
        return "n_cf", _MULTI_TASK if tasks == sorted(_BY_TASK) and all(every) else None
    for own, n_pre in spec.more_n_pre.items():
        if network in (f"n_pre_{own}", f"n_cf_{own}"):
            return network.removesuffix(f"_{own}"), _table(spec, n_pre)
    return network, _table(spec, spec.n_pre)


def _table(spec: RunSpec, n_pre: NetworkSpec) -> _Table | None:
    """The table of N_pre -> N_cf; an imported N_pre has no architecture here, and no table, nor have clean labels."""
    if n_pre.arch != spec.n_cf.arch or n_pre.weights or (n_pre.task == "labels" and spec.d_pre.format not in _WEAK):
        return None
    clips = {n_pre.clip, spec.n_cf.clip}
    if spec.modality == "video" and n_pre.arch == "r2plus1d_34" and n_pre.midplanes == "caffe2":
        return _TABLE_5 if {(one.num_frames, one.frame_stride, one.crop_px) for one in clips} == {_CLIP} else None
    if spec.modality == "image" and n_pre.arch == "resnet50":
        return _TABLE_4 if n_pre.task == "labels" else _BY_TASK[n_pre.task]
    return None


# The defaults of ClipSpec are the paper's.
_CLIP = (ClipSpec.num_frames, ClipSpec.frame_stride, ClipSpec.crop_px)
