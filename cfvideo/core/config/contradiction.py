"""What parts of a config ask of each other: networks, baselines, labels, targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cfvideo.core.specs import NetworkSpec, RunSpec


@dataclass(frozen=True)
class Contradiction:
    """The keys that disagree, and a sentence that ends in the way out."""

    keys: tuple[str, ...]
    text: str


def between_parts(spec: RunSpec) -> Iterator[Contradiction]:
    """Every contradiction between keys of different parts of `spec`."""
    yield from _proxies(spec)
    yield from _nothing_to_learn(spec)
    yield from _finetune(spec)


def networks(spec: RunSpec) -> list[tuple[str, NetworkSpec]]:
    """Every network that has keys of its own, by its group."""
    further = [(f"MORE_N_PRE.{own}", network) for own, network in spec.more_n_pre.items()]
    return [("N_PRE", spec.n_pre), ("N_CF", spec.n_cf), *further]


def learn_labels(spec: RunSpec) -> list[str]:
    """The groups of the networks that are trained on the labels of D_pre."""
    return [name for name, network in networks(spec)
            if name != "N_CF" and network.task == "labels" and not network.weights]


def _proxies(spec: RunSpec) -> Iterator[Contradiction]:
    """What N_cf must not have, and what only a labelled N_pre can give."""
    if spec.n_cf.weights:
        yield Contradiction(("N_CF.WEIGHTS",), "N_CF.WEIGHTS is set, but N_cf is trained from scratch on the clusters: "
                            "leave it out; tools/evaluate.py judges a finished network")
    if spec.n_cf.task != "labels":
        yield Contradiction(("N_CF.TASK",), f"N_CF.TASK {spec.n_cf.task}: N_cf learns cluster ids: leave it out, or "
                            "set N_PRE.TASK")
    if "distillation" in spec.baselines and spec.n_pre.task != "labels":
        yield Contradiction(("BASELINES", "N_PRE.TASK"), f"BASELINES distillation and N_PRE.TASK {spec.n_pre.task}: a "
                            "pretext task's outputs say nothing of an untouched picture (paper, appendix D): leave "
                            "distillation out")
    for own in spec.more_n_pre:
        if own in ("2x", "multi_task") or own.startswith("round"):
            yield Contradiction((f"MORE_N_PRE.{own}",), f"MORE_N_PRE.{own}: the tables have a network of this name "
                                "(n_pre_2x, n_cf_multi_task, n_cf_round2): choose another")
    of_images = {f"{own}.TASK": "pretext tasks are for images"
                 for own, network in networks(spec) if network.task != "labels"}
    of_images |= {f"D_TAR.{own}.SQUEEZE": "a protocol of images; the probes of videos see cropped clips"
                  for own, target in spec.d_tar.items() if target.squeeze}
    for key, why in of_images.items() if spec.modality == "video" else ():
        yield Contradiction((key, "MODALITY"), f"{key}: {why}: leave it out, or set MODALITY image")


def _nothing_to_learn(spec: RunSpec) -> Iterator[Contradiction]:
    """Trainings and labels that come to nothing."""
    if "n_pre_2x" in spec.baselines and spec.n_pre.weights:
        yield Contradiction(("BASELINES", "N_PRE.WEIGHTS"), "BASELINES n_pre_2x trains N_pre for twice as long, and "
                            f"N_PRE.WEIGHTS {spec.n_pre.weights} is a finished network that nothing trains: leave "
                            "n_pre_2x or N_PRE.WEIGHTS out")
    noise = spec.d_pre.labels.noise
    if noise and not learn_labels(spec) and not _d_cf_hands_them_on(spec):
        key, value, mend = (("N_PRE.WEIGHTS", spec.n_pre.weights, "leave N_PRE.WEIGHTS out") if spec.n_pre.weights else
                            ("N_PRE.TASK", spec.n_pre.task, "set N_PRE.TASK labels"))
        yield Contradiction(("D_PRE.LABELS.NOISE", key), f"D_PRE.LABELS.NOISE {noise} makes labels wrong that nobody "
                            f"learns, because of {key} {value}: leave D_PRE.LABELS.NOISE out, or {mend}")


def _d_cf_hands_them_on(spec: RunSpec) -> bool:
    """Whether labels of D_pre are learned as those of D_cf."""
    if spec.d_cf.path:
        return False
    return spec.cluster.method in ("per_label", "prototype") or bool({"distillation", "prototype"}
                                                                     & set(spec.baselines))


def _finetune(spec: RunSpec) -> Iterator[Contradiction]:
    targets = spec.finetune.targets
    for target in targets:
        if target not in spec.d_tar:
            yield Contradiction(("FINETUNE.TARGETS",), f"FINETUNE.TARGETS names {target}, which is no target; D_TAR "
                                f"has {', '.join(spec.d_tar) or 'none'}")
    if len(set(targets)) < len(targets):
        yield Contradiction(("FINETUNE.TARGETS",), f"FINETUNE.TARGETS {list(targets)} names a target twice: give each "
                            "once")
