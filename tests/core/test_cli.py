"""The whole pipeline over the toy modality: what runs, what is re-used, what is refused, and how it ends."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cfvideo.core import faults
from cfvideo.core.cli import run
from cfvideo.core.errors import ConfigError, DataError, IntegrityError, Interrupted, TooManyBadSamples
from cfvideo.core.index import Index
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.training.fit import Trainer
from tests.toy_modality import TOY

CONFIG = """
NAME: toy
OUTPUT_DIR: {out}
D_PRE: {{PATH: "60"}}
D_TAR:
  T: {{TRAIN: "45", TEST: "30"}}
N_PRE: &net
  ARCH: r2plus1d
  WIDTHS: [6, 6, 6, 6]
  SOLVER: {{MAX_SAMPLES: 160, BATCH_SIZE: 16, BASE_LR: 0.1, BASE_BATCH_SIZE: 16, NUM_HALVINGS: 3,
            CHECKPOINT_SAMPLES: 32}}
N_CF: *net
EXTRACT: {{NUM_CLIPS: 2, BATCH_SIZE: 8, SHARD_ROWS: 16}}
CLUSTER: {{NUM_CLUSTERS: 6, NUM_ITERATIONS: 4}}
PROBE: {{NUM_CLIPS: 2, STRENGTHS: [1.0]}}
"""


class _Killed(BaseException):
    """Stands in for SIGKILL inside this process: nothing in the product catches it."""


def _die() -> None:
    raise _Killed


def _go(tmp_path: Path, *overrides: str, stages: str = "", dry_run: bool = False) -> int:
    config = tmp_path / "toy.yaml"
    config.write_text(CONFIG.format(out=tmp_path / "out"))
    return run(TOY, files=[config], overrides=overrides, stages=stages, dry_run=dry_run, command="toy")


def _tree(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size)
            for path in folder.rglob("*") if path.is_file()}


def _results(folder: Path) -> dict[str, bytes]:
    wanted = ("weights.safetensors", "kmeans.safetensors", "pseudo_labels.safetensors", "metrics.jsonl", "probe.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.name in wanted}


def test_a_run_ends_with_a_table_and_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _go(tmp_path) == 0
    said = capsys.readouterr().out
    assert "untrained" in said.lower()
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    assert len(list((tmp_path / "out/tensorboard").rglob("events.*"))) == 2  # N_pre and N_cf
    assert {Index.load(path, Path()).num_rows for path in (tmp_path / "out/indexes").iterdir()} == {60, 45, 30}
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in said.replace("\n", "")


def test_the_second_run_changes_no_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _go(tmp_path)
    before = _tree(tmp_path / "out" / "stages")
    capsys.readouterr()
    assert _go(tmp_path) == 0
    assert _tree(tmp_path / "out" / "stages") == before
    assert "running" not in capsys.readouterr().out


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _go(tmp_path / name)
    results = [_results(tmp_path / name / "out") for name in ("one", "two")]
    assert results[0] == results[1]
    assert len(results[0]) >= 8


def test_a_changed_key_reruns_only_what_depends_on_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _go(tmp_path)
    capsys.readouterr()
    _go(tmp_path, "CLUSTER.NUM_CLUSTERS", "4", dry_run=True)
    plan = capsys.readouterr().out
    assert "stale: cluster seed 0: n_cf: because CLUSTER.NUM_CLUSTERS 6 -> 4 changed" in plan
    assert "stale: pretrain" not in plan
    assert "stale: report toy: because config_yaml; stages changed" in plan
    _go(tmp_path, "CLUSTER.NUM_CLUSTERS", "4")
    said = capsys.readouterr().out
    assert "pretrain seed 0: n_pre: re-used" in said
    assert "extract seed 0: n_pre on D_CF: re-used" in said
    assert "cluster seed 0: n_cf: running" in said
    assert "train_cf seed 0: n_cf: running" in said


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _go(tmp_path, dry_run=True) == 0
    assert not (tmp_path / "out").exists()
    assert "Nothing was written" in capsys.readouterr().out
    _go(tmp_path)
    before = _tree(tmp_path / "out")
    assert _go(tmp_path, dry_run=True) == 0
    assert _tree(tmp_path / "out") == before


def test_dry_run_names_all_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _go(tmp_path, "D_PRE.PATH", "nowhere", "D_TAR.T.TEST", "lost", dry_run=True) == 3
    said = " ".join(capsys.readouterr().out.split())
    assert "D_PRE.PATH: nowhere" in said
    assert "D_TAR.T.TEST: lost" in said
    with pytest.raises(DataError, match="D_PRE.PATH: nowhere"):
        _go(tmp_path, "D_PRE.PATH", "nowhere")


def test_an_output_folder_may_lie_on_a_disk_called_scratch(tmp_path: Path) -> None:
    out = tmp_path / "scratch" / "me"
    assert _go(tmp_path, "OUTPUT_DIR", str(out), stages="pretrain,extract") == 0
    assert len(list(out.glob("stages/extract/*/rows-*.safetensors"))) > 1
    assert not list(out.glob("stages/*/*/scratch"))


def test_where_data_is_missing_the_config_may_say_how_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                                ) -> None:
    words = ["D_PRE.PATH", "nowhere", "DATA.HOW", "python make_it.py"]
    _go(tmp_path, *words, dry_run=True)
    assert "How to get it: python make_it.py" in capsys.readouterr().out
    with pytest.raises(DataError, match="D_PRE.PATH: nowhere.*\nHow to get it: python make_it.py$"):
        _go(tmp_path, *words)


def test_what_is_made_anew_although_it_is_there_is_said_before_it_is_made(tmp_path: Path,
                                                                         capsys: pytest.CaptureFixture[str]) -> None:
    _go(tmp_path)
    assert "stale" not in capsys.readouterr().out
    _go(tmp_path, "CLUSTER.NUM_CLUSTERS", "5")
    said = capsys.readouterr().out
    assert said.index("stale: cluster seed 0: n_cf: because CLUSTER.NUM_CLUSTERS 6 -> 5 changed") < said.index("[1/")


def test_several_seeds_share_nothing_but_data(tmp_path: Path) -> None:
    assert _go(tmp_path, "SEEDS", "[0, 1]") == 0
    weights = {path.read_bytes() for path in (tmp_path / "out/stages/pretrain").glob("*/weights.safetensors")}
    assert len(weights) == 2


def test_stages_may_be_run_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="add pretrain to --stages"):
        _go(tmp_path, stages="extract")
    assert _go(tmp_path, stages="pretrain") == 0
    assert "without --stages" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="--stages: unknown pretrian; allowed: untrained, pretrain"):
        _go(tmp_path, stages="pretrian")


def test_more_clusters_than_rows_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="61 clusters asked of the 60 rows of D_CF; set it to at most 60"):
        _go(tmp_path, "CLUSTER.NUM_CLUSTERS", "61")
    assert not (tmp_path / "out").exists()


def test_a_bad_row_is_left_out_and_listed(tmp_path: Path) -> None:
    assert _go(tmp_path, "D_PRE.PATH", "60bad") == 0
    files = list((tmp_path / "out/stages/extract").glob("*/failures.csv"))
    lines = [line for path in files for line in path.read_text().splitlines()[1:]]
    assert lines == ["5,bad0005,undecodable,toy"]
    assert "bad0005" in (tmp_path / "out/report.html").read_text()


def test_too_many_bad_rows_stop_the_run_however_often_it_is_repeated(tmp_path: Path) -> None:
    for _ in range(3):
        with pytest.raises(TooManyBadSamples, match="DATA.MAX_BAD_SHARE"):
            _go(tmp_path, "D_TAR.T.TEST", "30bad", "DATA.MAX_BAD_SHARE", "0.01")


def test_a_lower_ceiling_counts_for_finished_stages_too(tmp_path: Path) -> None:
    assert _go(tmp_path, "D_PRE.PATH", "60bad", stages="pretrain") == 0
    with pytest.raises(TooManyBadSamples, match="pretrain seed 0: n_pre: 1 of 60 rows"):
        _go(tmp_path, "D_PRE.PATH", "60bad", "DATA.MAX_BAD_SHARE", "0.01", stages="pretrain")


def test_neutral_keys_may_change_between_kill_and_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    _go(tmp_path / "whole")
    monkeypatch.setattr(faults, "_die", _die)
    for fault in ("pretrain/checkpoint:1", "extract/shard:2", "cluster/iteration:1"):
        faults._reached.clear()
        monkeypatch.setenv("CFVIDEO_FAULT", fault)
        with pytest.raises(_Killed):
            _go(tmp_path / "killed")
    monkeypatch.delenv("CFVIDEO_FAULT")
    _go(tmp_path / "killed", "EXTRACT.SHARD_ROWS", "7", "N_PRE.SOLVER.CHECKPOINT_SAMPLES", "48")
    whole, resumed = _results(tmp_path / "whole/out"), _results(tmp_path / "killed/out")
    assert resumed == whole


def test_no_training_step_is_repeated_once_training_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    update = Trainer._update
    monkeypatch.setattr(Trainer, "_update", lambda self, step, tally: (steps.append(step.start),
                                                                      update(self, step, tally))[1])
    monkeypatch.setattr(faults, "_die", _die)
    for fault in ("pretrain/checkpoint:5", "pretrain/before_rename:1", "pretrain/manifest:1"):
        faults._reached.clear()
        monkeypatch.setenv("CFVIDEO_FAULT", fault)
        with pytest.raises(_Killed):
            _go(tmp_path, stages="pretrain")
    monkeypatch.delenv("CFVIDEO_FAULT")
    assert _go(tmp_path, stages="pretrain") == 0
    assert steps == list(range(0, 160, 16))


def test_names_may_look_like_markup(tmp_path: Path) -> None:
    for dry_run in (True, False):
        assert _go(tmp_path, "NAME", "a [/b] [red]c", "OUTPUT_DIR", str(tmp_path / "[/i]"), dry_run=dry_run) == 0


def test_a_changed_number_in_a_manifest_is_found(tmp_path: Path) -> None:
    _go(tmp_path)
    for path in (tmp_path / "out/stages/probe").glob("*/manifest.json"):
        path.write_text(re.sub(r'"top1": [0-9.]+', '"top1": 0.999', path.read_text()))
    with pytest.raises(IntegrityError, match="manifest.json: changed since it was written"):
        _go(tmp_path)


def test_a_signal_while_data_is_read_ends_cleanly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def read(**_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    config = tmp_path / "toy.yaml"
    config.write_text(CONFIG.format(out=tmp_path / "out"))
    with pytest.raises(Interrupted, match="SIGTERM"):
        run(replace(TOY, read_index=read), files=[config], overrides=[], stages="", dry_run=False, command="toy")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_diverging_run_says_which_key_to_lower(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="diverged in the step after .* lower .*SOLVER.BASE_LR"):
        _go(tmp_path, "N_PRE.SOLVER.BASE_LR", "1e30")


@pytest.mark.parametrize(("name", "stages"), [
    ("weights.safetensors", "untrained,pretrain"), ("kmeans.safetensors", "pretrain,extract,cluster"),
    ("pseudo_labels.safetensors", "pretrain,extract,cluster,assign")])
def test_a_damaged_artefact_is_found_before_it_is_used(tmp_path: Path, name: str, stages: str) -> None:
    _go(tmp_path, stages=stages)
    for path in (tmp_path / "out/stages").rglob(name):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    with pytest.raises(IntegrityError, match="delete .* and run the same command again"):
        _go(tmp_path)


def test_a_signal_stops_after_the_step_and_the_next_run_ends_alike(tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "stopped").mkdir()
    _go(tmp_path / "whole")
    calls = 0
    check = StopRequest.check

    def stop_now_and_then(request: StopRequest) -> None:
        nonlocal calls
        calls += 1
        if calls % 25 == 0:
            request.signal_name = "SIGTERM"
        check(request)

    monkeypatch.setattr(StopRequest, "check", stop_now_and_then)
    stops = 0
    while True:
        try:
            _go(tmp_path / "stopped")
            break
        except Interrupted:
            stops += 1
            assert stops < 100
    assert stops >= 3
    assert _results(tmp_path / "stopped/out") == _results(tmp_path / "whole/out")


def test_killed_at_any_fault_point_again_and_again_it_ends_alike(tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    _go(tmp_path / "whole")

    monkeypatch.setattr(faults, "_die", _die)
    rng, kills = np.random.default_rng(0), 0
    points = ("start", "before_rename", "after_rename", "checkpoint", "shard", "iteration", "manifest", "published")
    while True:
        faults._reached.clear()
        # The further into a run, the rarer a point: small counts make many attempts.
        monkeypatch.setenv("CFVIDEO_FAULT", f"{points[rng.integers(len(points))]}:{rng.integers(1, 4)}")
        try:
            _go(tmp_path / "killed")
            break
        except _Killed:
            kills += 1
            assert kills < 300
    assert kills >= 8
    assert _results(tmp_path / "killed/out") == _results(tmp_path / "whole/out")
    assert not list((tmp_path / "killed/out").rglob("*.tmp"))


def test_an_unwritable_output_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="OUTPUT_DIR: .*cannot be written"):
        _go(tmp_path, "OUTPUT_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(ConfigError, match="OUTPUT_DIR: .*cannot be written: .*/file is no folder"):
        _go(tmp_path, "OUTPUT_DIR", str(tmp_path / "file" / "below"), dry_run=True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_resumably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        with open("/dev/full", "wb", buffering=0) as file:
            os.write(file.fileno(), b"x")

    with monkeypatch.context() as patch:
        patch.setattr("cfvideo.core.features.save_tensors", full)
        with pytest.raises(Interrupted, match="No space left.*make room"):
            _go(tmp_path)
    assert _go(tmp_path) == 0
