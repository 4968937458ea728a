"""The configs of the paper's experiments: they load, and say what the paper says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cfvideo.core.config import dump_yaml, load_run_spec
from cfvideo.core.specs import RunSpec, SolverSpec

CONFIGS = Path(__file__).parents[3] / "configs"
HEADER = ("# Paper", "# Command", "# Cost", "# Expected")


EVERY = sorted(CONFIGS.rglob("*.yaml"))
NAMES = [file.relative_to(CONFIGS).as_posix() for file in EVERY]
PRETEXT = ("rotnet.yaml", "jigsaw.yaml", "jigsaw_rotnet.yaml")
IMAGENET_EPOCH = 1_281_167


def shipped(name: str) -> RunSpec:
    return load_run_spec([CONFIGS / name])


@pytest.fixture
def ig_verb() -> RunSpec:
    return shipped("ig_verb.yaml")


@pytest.fixture
def ig_verb_62m() -> RunSpec:
    return shipped("ig_verb_62m.yaml")


@pytest.mark.parametrize("path", EVERY, ids=NAMES)
def test_every_shipped_config_loads_and_its_dump_gives_the_same(path: Path, tmp_path: Path) -> None:
    spec = load_run_spec([path])
    (tmp_path / "dump.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    assert load_run_spec([tmp_path / "dump.yaml"]) == spec


@pytest.mark.parametrize("path", EVERY, ids=NAMES)
def test_every_shipped_config_is_headed_by_paper_command_cost_and_result(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    header = text[:text.index("\n\n")]
    assert all(f"\n{line} " in f"\n{header}" for line in HEADER)
    assert f"--cfg configs/{path.relative_to(CONFIGS).as_posix()}" in header


def test_the_papers_networks(ig_verb: RunSpec) -> None:
    """Section 4.1.2 and supplement C."""
    clip, solver = ig_verb.n_pre.clip, ig_verb.n_pre.solver
    assert ig_verb.n_pre == ig_verb.n_cf
    assert (ig_verb.n_pre.arch, ig_verb.n_pre.midplanes) == ("r2plus1d_34", "caffe2")
    assert (clip.num_frames, clip.frame_stride, clip.short_edge_px, clip.crop_px) == (32, 1, 128, 112)
    assert (solver.max_samples, solver.batch_size) == (490_000_000, 128 * 6)
    assert solver.micro_batch_size == 6  # per-GPU batch norm
    assert (solver.schedule, solver.num_halvings) == ("halving", 13)
    assert solver.base_lr == pytest.approx(0.192)


def test_the_papers_clusters_and_data(ig_verb: RunSpec) -> None:
    """Section 4.1.2, Tables 2 and 3, supplement C."""
    assert (ig_verb.extract.num_clips, ig_verb.extract.layer) == (6, "res5")
    assert (ig_verb.cluster.num_clusters, ig_verb.cluster.max_points_per_centroid) == (3200, 0)
    assert (ig_verb.d_pre.min_rows_per_label, ig_verb.d_pre.expected_rows) == (50, 19_000_000)
    assert ig_verb.d_cf.path == ""  # D_cf = D_pre
    formats = {name: target.format for name, target in ig_verb.d_tar.items()}
    assert formats == {"KINETICS": "kinetics", "SPORTS1M": "sports1m"}


def test_the_setting_of_section_5(ig_verb: RunSpec, ig_verb_62m: RunSpec) -> None:
    """Section 5 and supplement F: the same N_pre, D_pre, K and targets; a smaller N_cf on another D_cf."""
    n_cf, solver = ig_verb_62m.n_cf, ig_verb_62m.n_cf.solver
    assert (n_cf.arch, n_cf.clip.num_frames) == ("r2plus1d_18", 8)
    assert (solver.max_samples, solver.batch_size) == (250_000_000, 64 * 16)
    assert solver.micro_batch_size == 16
    assert solver.base_lr * solver.batch_size / solver.base_batch_size == pytest.approx(64 * 0.005)
    assert solver.num_halvings == 13
    assert ig_verb_62m.d_cf.path not in ("", ig_verb_62m.d_pre.path)
    assert replace(ig_verb_62m, name=ig_verb.name, d_cf=ig_verb.d_cf, n_cf=ig_verb.n_cf) == ig_verb


def test_the_defaults_are_the_papers(ig_verb: RunSpec) -> None:
    solver = replace(ig_verb.n_pre.solver, micro_batch_size=0)
    assert solver == SolverSpec()
    assert replace(ig_verb.n_pre, solver=solver) == RunSpec().n_pre
    assert (ig_verb.extract, ig_verb.cluster) == (RunSpec().extract, RunSpec().cluster)


def test_a_billion_images() -> None:
    """Section 4.1.1, Tables 2 to 4, supplement B."""
    spec = shipped("ig_imagenet_1b.yaml")
    solver, cluster = spec.n_pre.solver, spec.cluster
    assert spec.n_pre == spec.n_cf
    assert (spec.modality, spec.n_pre.arch, spec.extract.layer) == ("image", "resnet50", "res5")
    assert (solver.max_samples, solver.batch_size, solver.micro_batch_size) == (2_000_000_000, 128 * 32, 32)
    assert (solver.base_lr, solver.base_batch_size) == (1.6, solver.batch_size)
    assert (solver.schedule, solver.num_halvings) == ("halving", 13)
    assert (spec.d_pre.expected_rows, spec.d_cf.path) == (1_000_000_000, "")
    assert cluster.sample_share * spec.d_pre.expected_rows == 200_000_000
    assert (cluster.num_iterations, cluster.final_iterations, cluster.max_points_per_centroid) == (30, 5, 0)
    assert cluster.num_clusters in (1500, 3750, 7500, 15000, 30000)
    assert {name: target.format for name, target in spec.d_tar.items()} == {
        "IMAGENET": "imagenet", "IMAGENET9K": "path_label", "PLACES365": "places365", "INATURALIST": "inaturalist"}


@pytest.mark.parametrize("name", PRETEXT)
def test_pretext_tasks(name: str) -> None:
    """Section 4.2, Tables 2, 6 and 7, supplement D."""
    spec = shipped(name)
    for network in (spec.n_pre, spec.n_cf, *spec.more_n_pre.values()):
        solver = network.solver
        assert (network.arch, solver.max_samples) == ("resnet50", 105 * IMAGENET_EPOCH)
        assert (solver.base_lr, solver.base_batch_size, solver.batch_size) == (0.1, 256, 8 * 32)
        assert (solver.micro_batch_size, solver.schedule, solver.step_factor) == (32, "step", 0.1)
        assert [105 * step for step in solver.steps] == pytest.approx([30, 60, 90])
        assert (solver.momentum, solver.nesterov, solver.weight_decay) == (0.9, False, 1e-4)
        assert network.clip.crop_px == 224
    assert (spec.d_pre.format, spec.d_pre.expected_rows, spec.d_cf.path) == ("imagenet", IMAGENET_EPOCH, "")
    assert (spec.cluster.num_clusters, spec.cluster.l2_normalise, spec.extract.layer) == (16_000, True, "res5")
    assert spec.cluster.max_points_per_centroid == 0
    assert spec.probe.layers == tuple(f"{layer}.grid" for layer in ("conv1", "res2", "res3", "res4", "res5"))
    sgd = spec.probe.sgd
    assert (spec.probe.methods, spec.probe.solver, sgd.batch_size, sgd.learning_rates) == (("linear",), "sgd", 256,
                                                                                           (0.01,))
    assert (sgd.momentum, sgd.weight_decays, sgd.scaling) == (0.9, (5e-4,), "batch_norm")
    judged = {name: (target.methods, target.epochs or sgd.epochs) for name, target in spec.d_tar.items()}
    assert judged == {"IMAGENET": ((), 28), "VOC07": (("svm",), 28), "PLACES205": ((), 14), "INATURALIST": ((), 84)}
    assert [name for name, target in spec.d_tar.items() if target.squeeze] == ["VOC07"]


def test_jigsaw_and_both_differ_from_rotnet_in_their_networks_alone() -> None:
    """Supplements D and E, Table 8."""
    rotnet, jigsaw, both = (shipped(name) for name in PRETEXT)
    clip = jigsaw.n_pre.clip
    assert (rotnet.n_pre.task, jigsaw.n_pre.task, rotnet.n_cf.task) == ("rotnet", "jigsaw", "labels")
    assert (clip.short_edge_px, clip.cell_px, clip.patch_px, clip.permutations) == (255, 85, 64, 2000)
    assert replace(jigsaw, name=rotnet.name, n_pre=rotnet.n_pre) == rotnet
    assert both.more_n_pre == {"ROTNET": rotnet.n_pre}
    assert replace(both, name=jigsaw.name, more_n_pre={}) == jigsaw


def test_wrong_labels_on_imagenet() -> None:
    """Section 3.2, Figure 3, supplement A."""
    spec = shipped("imagenet_noise.yaml")
    assert spec.n_pre == spec.n_cf
    assert (spec.n_pre.arch, spec.n_pre.task, spec.probe.layers) == ("resnet50", "labels", ("res5",))
    solver = spec.n_pre.solver
    assert (solver.momentum, solver.nesterov, solver.weight_decay) == (0.9, False, 1e-4)  # supplement D's setting
    assert (spec.d_pre.format, spec.d_pre.labels.noise, spec.d_cf.path) == ("imagenet", 0.5, "")
    assert list(spec.d_tar) == ["IMAGENET", "IMAGENET9K", "INATURALIST"]
    assert (spec.baselines, spec.distillation.temperature, spec.distillation.alpha) == (("distillation",), 20.0, 0.75)
