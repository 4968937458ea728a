"""Stages of several runs: each once, named by the axes that change it."""

from __future__ import annotations

from typing import Any

import pytest

from cfvideo.core.pipeline.rows import Wired, arrange
from cfvideo.core.stage import Stage, Workspace


def _nothing(_work: Workspace) -> dict[str, Any]:
    return {}


def _stage(name: str, network: str, inputs: dict[str, Stage], **keys: str) -> Stage:
    return Stage(name, f"seed 0: {network}", keys, inputs, _nothing, about={"network": network, "seed": 0})


def _run(noise: str, k: str) -> Wired:
    """N_pre and distillation depend on the noise, N_cf on both, the untrained network on neither."""
    untrained, n_pre = _stage("untrained", "untrained", {}), _stage("pretrain", "n_pre", {}, noise=noise)
    distilled = _stage("train_cf", "distillation", {"teacher": n_pre})
    clusters = [_stage("cluster", "clusters", {"features": n_pre}, k=k, round=number) for number in ("1", "2")]
    n_cf = _stage("train_cf", "n_cf", {"labels": clusters[0]})
    networks = [untrained, n_pre, distilled, n_cf]
    probes = [_stage("probe", str(network.about["network"]), {"test": network}) for network in networks]
    return Wired({"noise": noise, "k": k}, [untrained, n_pre, distilled, *clusters, n_cf, *probes])


RUNS = [_run(noise, k) for noise in ("p0", "p50") for k in ("k4", "k8")]


def test_each_stage_comes_once_and_after_its_inputs() -> None:
    stages = arrange(RUNS).stages
    prints = [stage.fingerprint for stage in stages]
    assert len(set(prints)) == len(prints) == 1 + 2 + 2 + 4 * 2 + 4 + (1 + 2 + 2 + 4)
    for place, stage in enumerate(stages):
        assert {given.fingerprint for given in stage.inputs.values()} <= set(prints[:place])


def test_a_network_is_named_by_what_changes_it() -> None:
    rows = arrange(RUNS).rows
    assert {name: row.baseline for name, row in rows.items()} == {
        "untrained": "", "n_pre_p0": "", "n_pre_p50": "", "distillation_p0": "n_pre_p0",
        "distillation_p50": "n_pre_p50", "n_cf_p0_k4": "n_pre_p0", "n_cf_p0_k8": "n_pre_p0",
        "n_cf_p50_k4": "n_pre_p50", "n_cf_p50_k8": "n_pre_p50"}
    assert rows["n_cf_p50_k8"].at == {"noise": "p50", "k": "k8"}
    assert rows["n_pre_p50"].run == 2


def test_names_change_no_fingerprint_and_reach_roles() -> None:
    stages = arrange(RUNS).stages
    assert {stage.fingerprint for stage in stages} == {stage.fingerprint for run in RUNS for stage in run.stages}
    roles = {stage.role for stage in stages if stage.name == "pretrain"}
    assert roles == {"seed 0: n_pre, p0", "seed 0: n_pre, p50"}


def test_a_single_run_keeps_its_names() -> None:
    arranged = arrange([Wired({}, RUNS[0].stages)])
    assert list(arranged.rows) == ["untrained", "n_pre", "distillation", "n_cf"]
    assert arranged.rows["n_cf"].baseline == "n_pre"


def test_of_several_n_pre_each_n_cf_is_compared_with_its_own() -> None:
    probes = [_stage("probe", name, {}, of=name) for name in ("untrained", "n_pre", "n_pre_2x", "n_pre_ROT", "n_cf",
                                                              "n_cf_ROT", "n_cf_multi_task")]
    rows = arrange([Wired({}, probes)]).rows
    assert {name: row.baseline for name, row in rows.items()} == {
        "untrained": "", "n_pre": "", "n_pre_2x": "n_pre", "n_pre_ROT": "", "n_cf": "n_pre", "n_cf_ROT": "n_pre_ROT",
        "n_cf_multi_task": "n_pre"}


def test_a_network_with_another_n_pre_in_each_run_has_no_baseline() -> None:
    runs = [Wired({"x": x}, [_stage("probe", "n_pre", {}, of=x), _stage("probe", "regression", {})]) for x in "ab"]
    assert arrange(runs).rows["regression"].baseline == ""


def test_two_runs_at_one_place_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="same place"):
        arrange([Wired({"x": "a"}, [_stage("probe", "n_cf", {}, of=of)]) for of in "12"])
