"""The configs of the paper's experiments: they load, and say what the paper says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cfvideo.core.config import dump_yaml, load_run_spec
from cfvideo.core.specs import RunSpec, SolverSpec

CONFIGS = Path(__file__).parents[3] / "configs"
HEADER = ("# Paper", "# Command", "# Cost", "# Expected")


@pytest.fixture
def ig_verb() -> RunSpec:
    return load_run_spec([CONFIGS / "ig_verb.yaml"])


@pytest.fixture
def ig_verb_62m() -> RunSpec:
    return load_run_spec([CONFIGS / "ig_verb_62m.yaml"])


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_loads_and_its_dump_gives_the_same(path: Path, tmp_path: Path) -> None:
    spec = load_run_spec([path])
    (tmp_path / "dump.yaml").write_text(dump_yaml(spec), encoding="utf-8")
    assert load_run_spec([tmp_path / "dump.yaml"]) == spec


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_is_headed_by_paper_command_cost_and_result(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    header = text[:text.index("\n\n")]
    assert all(f"\n{line} " in f"\n{header}" for line in HEADER)
    assert f"--cfg configs/{path.name}" in header


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
