"""Every key matters where it should and nowhere else: fingerprints, costs, wiring."""

from __future__ import annotations

import dataclasses
import re
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from cfvideo.core.config import flatten, load_run_spec
from cfvideo.core.datasets import open_datasets
from cfvideo.core.durable import canonical_json
from cfvideo.core.errors import ConfigError
from cfvideo.core.job import command_line
from cfvideo.core.pipeline import STAGE_NAMES, Pipeline
from cfvideo.core.report.layout import Axis, Chart, Layout
from cfvideo.core.screen import Screen
from cfvideo.core.specs import NEUTRAL, RunSpec, TargetSpec
from cfvideo.core.stage import Stage
from cfvideo.core.stages.report import Cover
from tests.source_tree import ROOT
from tests.toy_modality import TOY

CONFIG = """
D_PRE: {PATH: "60"}
D_CF: {PATH: "50"}
D_TAR: {T: {TRAIN: "45", TEST: "30"}}
N_PRE: {ARCH: r2plus1d, WIDTHS: [6, 6, 6, 6]}
N_CF: {ARCH: r2plus1d, WIDTHS: [6, 6, 6, 6]}
CLUSTER: {NUM_CLUSTERS: 6}
BASELINES: [n_pre_2x, distillation, regression, prototype]
FINETUNE: {TARGETS: [T]}
"""


def _spec(tmp_path: Path, *overrides: str) -> RunSpec:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return load_run_spec([path], overrides)


def _stages(spec: RunSpec, device: str = "cpu") -> list[Stage]:
    data = open_datasets(spec, TOY, Screen())
    cover = Cover("title", "command", "config", "expectation")
    return Pipeline(spec, TOY, data, torch.device(device), cover).stages()


def _prints(spec: RunSpec) -> set[str]:
    return {stage.fingerprint for stage in _stages(spec)}


def _fields(spec: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], dataclasses.Field[Any]]]:
    found = []
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        if dataclasses.is_dataclass(value):
            found += _fields(value, (*path, field.name))
        elif field.name not in ("d_tar", "more_n_pre"):
            found.append(((*path, field.name), field))
    return found


def _changed(spec: Any, path: tuple[str, ...], value: Any) -> Any:
    inner = value if len(path) == 1 else _changed(getattr(spec, path[0]), path[1:], value)
    return dataclasses.replace(spec, **{path[0]: inner})


def _other(value: Any, choices: tuple[str, ...]) -> Any:
    if isinstance(value, tuple) and choices:
        return value[1:]
    if choices:
        return next(choice for choice in choices if choice != value)
    if isinstance(value, bool):
        return not value
    if value == ("res5",):
        return ("conv1",)
    if isinstance(value, tuple):
        return value[:-1] if isinstance(value[-1], str) else (*value[:-1], value[-1] + 1)
    return value + "x" if isinstance(value, str) else value + type(value)(1)


# These choose which rows there are; the index's content hash stands in for them.
BY_CONTENT = {"d_pre", "d_cf"}
# A path; the digest of what lies there stands in for it (test_imported_networks).
NOT_TRIED = {("n_pre", "weights"), ("n_cf", "weights")}


# What else a solver's key needs to mean anything, where that is not the default.
HEARD_UNDER = {"steps": ("SCHEDULE", "step"), "step_factor": ("SCHEDULE", "step"),
               "warmup_from": ("WARMUP_SAMPLES", "1000")}


def _heard(path: tuple[str, ...]) -> tuple[str, ...]:
    if path == ("n_pre", "task") or path[:2] in (("n_pre", "clip"), ("n_cf", "clip")):
        return ("BASELINES", "[n_pre_2x, regression, prototype]")  # such an N_pre is no teacher of this N_cf
    if path[-2:-1] != ("solver",) or path[-1] not in HEARD_UNDER:
        return ()
    key, value = HEARD_UNDER[path[-1]]
    return (f"{'.'.join(path[:-1]).upper()}.{key}", value)


@pytest.mark.parametrize("path", [path for path, field in _fields(RunSpec())
                                  if path[0] not in BY_CONTENT and path not in NOT_TRIED], ids=".".join)
def test_a_key_changes_a_fingerprint_exactly_if_it_can_change_a_result(tmp_path: Path, path: tuple[str, ...]) -> None:
    spec = _spec(tmp_path, *_heard(path))
    field = dict(_fields(RunSpec()))[path]
    value: Any = spec
    for name in path:
        value = getattr(value, name)
    # One sample at a time is no batch to the toy network.
    other = 2 if path[-1] == "micro_batch_size" else _other(value, field.metadata["choices"])
    changed = _changed(spec, path, other)
    assert (_prints(changed) == _prints(spec)) is field.metadata[NEUTRAL]


def test_threads_are_in_what_a_gpus_features_are_judged_by_but_not_in_the_features(tmp_path: Path) -> None:
    one, two = (_stages(_spec(tmp_path, "SYSTEM.THREADS", number), "cuda") for number in "12")
    changed = {here.name for here, there in zip(one, two, strict=True) if here.fingerprint != there.fingerprint}
    assert changed == {"probe", "report"}


@pytest.mark.parametrize(("schedule", "unheard"), [
    ("halving", ("STEPS", "[0.5]", "STEP_FACTOR", "0.5")), ("step", ("NUM_HALVINGS", "2")),
    ("cosine", ("NUM_HALVINGS", "2", "STEPS", "[0.5]", "STEP_FACTOR", "0.5", "WARMUP_FROM", "0.5")),
    ("constant", ("NUM_HALVINGS", "2", "STEPS", "[0.5]", "STEP_FACTOR", "0.5", "WARMUP_FROM", "0.5"))])
def test_what_a_schedule_does_not_listen_to_trains_nothing_anew(tmp_path: Path, schedule: str,
                                                                unheard: tuple[str, ...]) -> None:
    for group in ("N_PRE.SOLVER", "N_CF.SOLVER", "FINETUNE.SOLVER"):
        base = (f"{group}.SCHEDULE", schedule)
        words = [word if place % 2 else f"{group}.{word}" for place, word in enumerate(unheard)]
        assert _prints(_spec(tmp_path, *base, *words)) == _prints(_spec(tmp_path, *base))


def test_every_key_is_read_somewhere() -> None:
    sources = [path.read_text() for path in [*(ROOT / "cfvideo").rglob("*.py"), *(ROOT / "cfimage").rglob("*.py")]
               if not {"specs", "config"} & set(path.parts)]
    text = "\n".join(sources)
    names = {path[-1] for path, _ in _fields(RunSpec())} | {field.name for field in dataclasses.fields(TargetSpec)}
    # A clip is handed to the modality as a mapping, a solver to Budget by name.
    unread = {name for name in names if not re.search(rf'\.{name}\b|"{name}"|\b{name}: ', text)}
    assert unread == set()


def test_stages_come_after_their_inputs_and_the_report_last(tmp_path: Path) -> None:
    stages = _stages(_spec(tmp_path, "SEEDS", "[0, 1]"))
    seen: set[str] = set()
    for stage in stages:
        assert {given.fingerprint for given in stage.inputs.values()} <= seen
        seen.add(stage.fingerprint)
    assert stages[-1].name == "report"
    assert {stage.name for stage in stages} == set(STAGE_NAMES)


def test_a_sweep_over_k_shares_training_and_extraction(tmp_path: Path) -> None:
    few, many = _stages(_spec(tmp_path)), _stages(_spec(tmp_path, "CLUSTER.NUM_CLUSTERS", "9"))
    shared = {stage.fingerprint for stage in few} & {stage.fingerprint for stage in many}
    roles = [stage.role for stage in few if stage.fingerprint in shared]
    assert "seed 0: distillation" in roles
    assert "seed 0: prototypes" in roles
    assert "seed 0: n_cf" not in roles
    assert "pretrain" in [stage.name for stage in few if stage.fingerprint in shared]
    on_cf = next(stage for stage in few if stage.role.endswith("n_pre on D_CF"))
    assert on_cf.fingerprint in shared


def test_costs_of_the_papers_experiment() -> None:
    from cfvideo.modality import VIDEO

    def stages_with(*layers: str) -> list[Stage]:
        spec = load_run_spec([ROOT / "configs/ig_verb.yaml"], ["PROBE.LAYERS", f"[{', '.join(layers)}]"])
        data = open_datasets(spec, VIDEO, Screen())
        return Pipeline(spec, VIDEO, data, torch.device("cpu"), Cover("", "", "", "")).stages()

    stages = stages_with("res4", "res5")
    pretrain = next(stage for stage in stages if stage.name == "pretrain")
    # 304.7 GFLOP per clip forward, three times that in training, 490 M clips.
    assert pretrain.cost.flops == pytest.approx(3 * 304.7e9 * 490e6, rel=0.01)
    on_cf = next(stage for stage in stages if stage.role.endswith("n_pre on D_CF"))
    assert on_cf.cost.written_bytes == 19_000_000 * 512 * 2
    on_target = next(stage for stage in stages if stage.name == "extract" and stage.role.endswith("train"))
    assert on_target.cost.written_bytes == on_target.cost.rows * (256 + 512) * 2 > 0
    with pytest.raises(ConfigError, match=r"PROBE.LAYERS: N_\w+: unknown layer res9; allowed: conv1, .*res5"):
        stages_with("res5", "res9")


def test_a_target_may_be_judged_in_its_own_way(tmp_path: Path) -> None:
    """VOC07 by SVMs beside targets of linear probes, each for its own number of epochs: one extraction serves both."""
    words = ["PROBE.SOLVER", "sgd", "D_TAR.U", "{TRAIN: '44', TEST: '30'}"]
    plain = _stages(_spec(tmp_path, *words))
    for own in ("METHODS: [svm]", "EPOCHS: 9"):
        changed = _stages(_spec(tmp_path, *words, "D_TAR.U", f"{{{own}}}"))
        other = {stage.role for stage, was in zip(changed, plain, strict=True)
                 if stage.fingerprint != was.fingerprint and stage.name != "report"}
        assert {role.rpartition(" ")[2] for role in other} == {"U"}
        assert {stage.name for stage in changed if stage.role in other} == {"probe"}
    as_everywhere = _stages(_spec(tmp_path, *words, "D_TAR.U", "{METHODS: [linear], EPOCHS: 28}"))
    assert [stage.fingerprint for stage in as_everywhere] == [stage.fingerprint for stage in plain]


def test_a_target_may_be_fine_tuned_without_mirroring(tmp_path: Path) -> None:
    plain, still = (_stages(_spec(tmp_path, *words)) for words in ((), ("D_TAR.T.FLIP", "false")))
    changed = [stage for stage, was in zip(still, plain, strict=True) if stage.fingerprint != was.fingerprint]
    assert {stage.name for stage in changed} == {"finetune", "score", "report"}
    views = [cast("partial[Any]", stage.run).keywords["recipe"].view["flip"] for stage in (plain[0], *changed)
             if stage.name in ("untrained", "finetune")]
    assert views == [True, *[False] * (len(views) - 1)]


@pytest.mark.parametrize("num_clips", ["1", "3"])
def test_a_target_of_squeezed_pictures_has_features_of_its_own(tmp_path: Path, num_clips: str) -> None:
    words = ["MODALITY", "image", "PROBE.NUM_CLIPS", num_clips, "D_TAR.U", "{TRAIN: '44', TEST: '31'}"]
    plain, squeezed = (_stages(_spec(tmp_path, *words, *more)) for more in ([], ["D_TAR.U.SQUEEZE", "true"]))
    changed = [stage for stage, was in zip(squeezed, plain, strict=True)
               if stage.fingerprint != was.fingerprint and stage.name != "report"]
    assert {stage.name for stage in changed} == {"extract", "probe"}
    assert {stage.role.partition(" on ")[2].split()[0] for stage in changed} == {"U"}
    # A whole picture is one view, whatever the other targets take.
    one = _stages(_spec(tmp_path, *words, "PROBE.NUM_CLIPS", "1"))
    assert [stage.cost.flops for stage in changed] == [stage.cost.flops for stage in one if stage.role in
                                                       {other.role for other in changed}]


def test_flatten_knows_every_key_of_the_run(tmp_path: Path) -> None:
    assert flatten(_spec(tmp_path))["D_TAR.T.TRAIN"] == "45"


def test_what_a_page_says_beside_results_makes_another_page(tmp_path: Path) -> None:
    """All but versions and threads, which no stage's fingerprint knows; a dry run plans the page of the run."""
    spec = _spec(tmp_path)
    cover = Cover("title", "command", "config", "expectation")
    pipeline = Pipeline(spec, TOY, open_datasets(spec, TOY, Screen()), torch.device("cpu"), cover)
    changes: list[dict[str, Any]] = [{name: "other"} for name in ("title", "command", "config_yaml", "expectation")]
    covers = [cover, *(dataclasses.replace(cover, **change) for change in [*changes, {"facts": {"left out": "x"}}])]
    studies = [dataclasses.replace(pipeline.study, cover=one) for one in covers]
    studies.append(dataclasses.replace(pipeline.study, legend="kN: K = N"))
    assert len({study.stages()[-1].fingerprint for study in studies}) == len(studies)
    assert dataclasses.replace(cover, machine={"torch": "2"}).keys == cover.keys
    assert command_line("t.py", ["--cfg", "a b", "--dry-run"]) == command_line("t.py", ["--cfg", "a b"])


def test_every_part_of_a_layout_is_in_its_keys() -> None:
    axes = [Axis("k", form, "K", "log", {"k3": (3.0, "3")}) for form in ("lines", "bars")]
    layouts = [Layout(), Layout(reference={("n_cf", "T"): 0.5}), Layout(num_clusters=6), Layout(baselines={"n_cf": ""}),
               Layout(legend="kN: K = N"), *(Layout(chart=Chart(axis, {"n_cf": ("n_cf", 3.0)})) for axis in axes)]
    assert len({canonical_json(layout.as_json()) for layout in layouts}) == len(layouts)
