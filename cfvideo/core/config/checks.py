"""What two keys together must not say. Files are not looked at here: that is for the stage that reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from cfvideo.core.config.contradiction import Contradiction, between_parts, networks
from cfvideo.core.errors import ConfigError
from cfvideo.core.specs import NetworkSpec, ProbeSpec, RunSpec, SolverSpec, SourceSpec

_NUM_STAGES = 4  # res2 ... res5
_SIZED = ("r2plus1d", "resnet")  # architectures whose sizes are BLOCKS and WIDTHS


def check(spec: RunSpec, set_at: Mapping[str, str] | None = None) -> None:
    """Refuses a spec whose keys contradict each other.

    Args:
        spec: what to check.
        set_at: where each key was written, for the message.

    Raises:
        ConfigError: the first contradiction, with its keys, their values and the way out.
    """
    for found in contradictions(spec):
        places = [f"{key} is set at {set_at[key]}" for key in found.keys if set_at and key in set_at]
        raise ConfigError(". ".join([found.text, *places]))


def contradictions(spec: RunSpec) -> Iterator[Contradiction]:
    """Every contradiction in `spec`."""
    yield from _run(spec)
    yield from between_parts(spec)
    yield from _clusters(spec)
    yield from _sources(spec)
    yield from _targets(spec)
    for name, network in networks(spec):
        yield from _architecture(name, network)
        yield from _clip(name, network)
        yield from _solver(f"{name}.SOLVER", network.solver)
    yield from _solver("FINETUNE.SOLVER", spec.finetune.solver)


def _run(spec: RunSpec) -> Iterator[Contradiction]:
    if not spec.seeds:
        yield Contradiction(("SEEDS",), "SEEDS is empty, so nothing would run: give at least one, [0]")
    if len(set(spec.seeds)) < len(spec.seeds):
        yield Contradiction(("SEEDS",), f"SEEDS {list(spec.seeds)} names a seed twice, which gives the same run twice: "
                            "give each once")
    yield from _probe(spec.probe)


def _probe(probe: ProbeSpec) -> Iterator[Contradiction]:
    lists = {"STRENGTHS": (probe.strengths, "[1.0]"), "METHODS": (probe.methods, "[linear]"),
             "SGD.LEARNING_RATES": (probe.sgd.learning_rates, "[0.01]"),
             "SGD.WEIGHT_DECAYS": (probe.sgd.weight_decays, "[0.0005]"),
             "KNN.NEIGHBOURS": (probe.knn.neighbours, "[20]"), "SVM.COSTS": (probe.svm.costs, "[1.0]"),
             "SVM.SHOTS": (probe.svm.shots, "[1]")}
    for word, (values, example) in lists.items():
        if not values:
            yield Contradiction((f"PROBE.{word}",), f"PROBE.{word} is empty: give at least one, {example}")
    if not probe.layers or len(set(probe.layers)) < len(probe.layers):
        yield Contradiction(("PROBE.LAYERS",), f"PROBE.LAYERS {list(probe.layers)} is empty or names a layer "
                            "twice: give each once, [res5]")
    if probe.methods[:1] == ("low_shot",):
        yield _no_figure("PROBE.METHODS", probe.methods)
    if probe.clip_scores == "softmax" and (probe.solver == "ridge" or "linear" not in probe.methods):
        yield Contradiction(("PROBE.CLIP_SCORES", "PROBE.METHODS", "PROBE.SOLVER"), "PROBE.CLIP_SCORES softmax "
                            "averages probabilities, and only PROBE.METHODS linear with PROBE.SOLVER lbfgs or sgd has "
                            "any: take one of these, or PROBE.CLIP_SCORES features")


def _no_figure(key: str, methods: tuple[str, ...]) -> Contradiction:
    return Contradiction((key,), f"{key} {list(methods)} begins with low_shot, which has no single figure for the "
                         "report: begin with svm, [svm, low_shot]")


def _clusters(spec: RunSpec) -> Iterator[Contradiction]:
    if spec.cluster.pca_whiten and not spec.cluster.pca_dim:
        yield Contradiction(("CLUSTER.PCA_WHITEN", "CLUSTER.PCA_DIM"), "CLUSTER.PCA_WHITEN True without PCA does "
                            "nothing: set CLUSTER.PCA_DIM, 256 for example, or leave CLUSTER.PCA_WHITEN out")


def _sources(spec: RunSpec) -> Iterator[Contradiction]:
    if not spec.d_pre.path:
        yield Contradiction(("D_PRE.PATH",), "D_PRE.PATH is empty: give the folder or list file of the videos to train "
                            "N_pre on, in a config file or as D_PRE.PATH data/my_videos")
    if not spec.d_cf.path and spec.d_cf != SourceSpec():
        ignored = tuple(f"D_CF.{item.name.upper()}" for item in fields(SourceSpec)
                        if getattr(spec.d_cf, item.name) != getattr(SourceSpec(), item.name))
        yield Contradiction(ignored, f"D_CF.PATH is empty, which makes D_cf the same as D_pre, so {', '.join(ignored)} "
                            "would be ignored: give D_CF.PATH or leave them out")


def _targets(spec: RunSpec) -> Iterator[Contradiction]:
    for name, target in spec.d_tar.items():
        train, test = f"D_TAR.{name}.TRAIN", f"D_TAR.{name}.TEST"
        missing = [key for key, path in ((train, target.train), (test, target.test)) if not path]
        if missing:
            said = f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} empty"
            yield Contradiction((train, test), f"{said}: a target needs both splits; give them, or leave "
                                f"D_TAR.{name} out")
        if target.methods[:1] == ("low_shot",):
            yield _no_figure(f"D_TAR.{name}.METHODS", target.methods)


def _architecture(name: str, network: NetworkSpec) -> Iterator[Contradiction]:
    for word, sizes, default in (("BLOCKS", network.blocks, NetworkSpec.blocks),
                                 ("WIDTHS", network.widths, NetworkSpec.widths)):
        keys = (f"{name}.{word}", f"{name}.ARCH")
        if network.arch in _SIZED and len(sizes) != _NUM_STAGES:
            yield Contradiction(keys, f"{keys[0]} {list(sizes)} has {len(sizes)} numbers, and {keys[1]} {network.arch} "
                                f"takes {_NUM_STAGES}: give one for each of res2 ... res5")
        if network.arch not in _SIZED and sizes != default:
            yield Contradiction(keys, f"{keys[1]} {network.arch} fixes its own {word.lower()}, so {keys[0]} "
                                f"{list(sizes)} would be ignored: leave it out, or set {keys[1]} r2plus1d or resnet")


def _clip(name: str, network: NetworkSpec) -> Iterator[Contradiction]:
    crop, edge = f"{name}.CLIP.CROP_PX", f"{name}.CLIP.SHORT_EDGE_PX"
    if network.clip.crop_px > network.clip.short_edge_px:
        yield Contradiction((crop, edge), f"{crop} {network.clip.crop_px} does not fit into {edge} "
                            f"{network.clip.short_edge_px}: make the crop smaller or the edge longer")
    area, key = network.clip.crop_area, f"{name}.CLIP.CROP_AREA"
    if area and (len(area) != 2 or not 0 < area[0] <= area[1]):
        yield Contradiction((key,), f"{key} {list(area)} is no least and largest share of a picture: give two numbers "
                            "above 0 in order, [0.08, 1.0], or [] for random squares of one size")
    if network.task == "jigsaw":
        yield from _puzzle(name, network)


def _puzzle(name: str, network: NetworkSpec) -> Iterator[Contradiction]:
    clip, key = network.clip, f"{name}.CLIP"
    if clip.patch_px > clip.cell_px:
        yield Contradiction((f"{key}.PATCH_PX", f"{key}.CELL_PX"), f"{key}.PATCH_PX {clip.patch_px} does not fit into "
                            f"{key}.CELL_PX {clip.cell_px}: make the patch smaller or the cell larger")
    if 3 * clip.cell_px > clip.short_edge_px:
        yield Contradiction((f"{key}.CELL_PX", f"{key}.SHORT_EDGE_PX"), f"{key}.CELL_PX {clip.cell_px}: 3 x 3 cells do "
                            f"not fit into {key}.SHORT_EDGE_PX {clip.short_edge_px}: make the cells smaller or the "
                            "edge longer")


def _solver(name: str, solver: SolverSpec) -> Iterator[Contradiction]:
    budget, micro, batch = f"{name}.MAX_SAMPLES", f"{name}.MICRO_BATCH_SIZE", f"{name}.BATCH_SIZE"
    if solver.sync_batch_norm and solver.micro_batch_size:
        sync = f"{name}.SYNC_BATCH_NORM"
        yield Contradiction((sync, micro), f"{sync} is batch norm over the whole step and {micro} "
                            f"{solver.micro_batch_size} cuts it into parts: set {micro} 0")
    if solver.micro_batch_size > solver.batch_size:
        yield Contradiction((micro, batch), f"{micro} {solver.micro_batch_size} is more than {batch} "
                            f"{solver.batch_size}, the whole step: lower it")
    for word, samples in (("WARMUP_SAMPLES", solver.warmup_samples), ("BATCH_SIZE", solver.batch_size)):
        if samples > solver.max_samples:
            key = f"{name}.{word}"
            yield Contradiction((key, budget), f"{key} {samples:,} is more than the whole training, {budget} "
                                f"{solver.max_samples:,}: lower {key} or raise {budget}")
