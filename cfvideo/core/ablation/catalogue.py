"""Every ablation by its name, and those that have no figure of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cfvideo.core.ablation.cluster_counts import (
    baselines,
    capacity,
    cluster_share,
    counts,
    labels_unsupervised_vs_per_label,
    num_clusters,
)
from cfvideo.core.ablation.label_spaces import label_nature, label_noise, num_labels
from cfvideo.core.ablation.variants import Ablation, Base, Variant, whole_numbers
from cfvideo.core.backbone import GRID
from cfvideo.core.errors import ConfigError


def layers(base: Base) -> Ablation:
    """Every layer that N_pre and N_cf share."""
    n_pre, n_cf = (base.context.layers(name) for name in ("n_pre", "n_cf"))
    # Grids, where the config probes grids, as the paper does.
    ending = GRID if all(layer.endswith(GRID) for layer in base.spec.probe.layers) else ""
    wanted = base.values or [f"{layer}{ending}" for layer in n_pre if layer in n_cf]
    words = ("PROBE.LAYERS", f"[{', '.join(wanted)}]")
    numbers = counts(base, base.clusters) if base.clusters else []
    variants = [Variant({"k": f"k{count}"}, ("CLUSTER.NUM_CLUSTERS", str(count), *words)) for count in numbers]
    return Ablation("Layers", "Of a self-supervised N_pre the last layer transfers worse than res4; of N_cf it does "
                    "not, and every layer but conv1 gains (Figure 4).", variants or [Variant({}, words)],
                    legend="kN: K = N" if variants else "")


def multi_task(base: Base) -> Ablation:
    """One N_cf on the clusters of several N_pre."""
    if not base.spec.more_n_pre:
        example = "ROTNET.TASK rotnet" if base.spec.modality == "image" else f"SECOND.ARCH {base.spec.n_pre.arch}"
        raise ConfigError("multi_task needs a second N_pre: give the config a MORE_N_PRE, such as "
                          f"MORE_N_PRE.{example}")
    return Ablation("Multi-task", "One N_cf that learns the clusters of two N_pre is better than the N_cf of either "
                    "(Table 8).", [Variant({})])


def iterate(base: Base) -> Ablation:
    """ClusterFit on ClusterFit."""
    rounds = whole_numbers(base.values or ["3"], "--values", low=2, example="3")
    if len(rounds) > 1:
        raise ConfigError(f"--values {' '.join(base.values)}: iterate takes one number, of rounds")
    return Ablation("Iterated ClusterFit", "Applying ClusterFit again provides little improvement (section 6).",
                    [Variant({}, ("ROUNDS", str(rounds[0])))], legend="roundN: clusters of the N_cf before")


def consensus(base: Base) -> Ablation:
    """Several clusterings made one."""
    return Ablation("Consensus clustering", "The paper does not try it and names evidence accumulation as worth trying "
                    "(section 6).", [Variant({"method": method}, ("CLUSTER.METHOD", method))
                                     for method in ("unsupervised", "consensus")])


ABLATIONS: Mapping[str, Callable[[Base], Ablation]] = {
    "labels_unsupervised_vs_per_label": labels_unsupervised_vs_per_label, "num_labels": num_labels,
    "label_nature": label_nature, "num_clusters": num_clusters, "capacity": capacity, "label_noise": label_noise,
    "layers": layers, "baselines": baselines, "multi_task": multi_task, "iterate": iterate,
    "cluster_share": cluster_share, "consensus": consensus}
