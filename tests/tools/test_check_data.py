"""tools/check_data.py as users run it: tables, exit codes, interruption, and what a run makes of its result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.source_tree import ROOT
from tests.synthetic import Recipe, write_video

CONFIG = """
OUTPUT_DIR: {folder}/out
D_PRE: {{PATH: {folder}/tags.jsonl}}
D_TAR:
  MOTIONS: {{TRAIN: {folder}/classes, TEST: {folder}/classes}}
N_PRE: &net {{ARCH: r2plus1d, WIDTHS: [4, 4, 8, 8], CLIP: {{NUM_FRAMES: 4, SHORT_EDGE_PX: 16, CROP_PX: 16}}}}
N_CF: *net
"""
NUM_VIDEOS = 12


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve videos, of which row 4 is text and row 9 is missing; and a folder of two classes."""
    (tmp_path / "videos").mkdir()
    first = write_video(tmp_path / "videos/00.mp4", Recipe(num_frames=8, size=(24, 16)))
    for number in range(1, NUM_VIDEOS):
        os.link(first, tmp_path / f"videos/{number:02d}.mp4")
    for name in ("04", "09"):
        (tmp_path / f"videos/{name}.mp4").unlink()
    (tmp_path / "videos/04.mp4").write_text("I am not a video")
    lines = [json.dumps({"path": f"videos/{number:02d}.mp4", "tags": ["tv"[number % 2]]})
             for number in range(NUM_VIDEOS)]
    (tmp_path / "tags.jsonl").write_text("\n".join(lines) + "\n")
    for label in ("one", "two"):
        (tmp_path / "classes" / label).mkdir(parents=True)
        os.link(first, tmp_path / "classes" / label / "a.mp4")
    (tmp_path / "run.yaml").write_text(CONFIG.format(folder=tmp_path))
    return tmp_path


def start(tool: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, f"tools/{tool}.py", *arguments], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"})


def run(tool: str, *arguments: str) -> tuple[int, str]:
    process = start(tool, *arguments)
    said = process.communicate(timeout=300)[0]
    assert "Traceback" not in said
    return process.returncode, said


def check(data: Path, *more: str) -> tuple[int, str]:
    return run("check_data", "--data", f"weak_labels:{data / 'tags.jsonl'}", "--out", str(data / "status"),
               "--workers", "1", *more)


def test_a_data_set_is_checked_and_the_ceiling_holds(data: Path) -> None:
    code, said = check(data, "--decode", "all")
    assert code == 3
    assert "16.67 % of the rows are not ok; more than --max-bad-share 0.05 allows" in said
    code, said = check(data, "--decode", "all", "--max-bad-share", "0.2")
    assert code == 0
    for expected in ("re-used", "ok", "10", "83.33 %", "undecodable", "videos/04.mp4", "missing", "videos/09.mp4",
                     "80 frames", "10 h264 in mov", "24 x 16"):
        assert expected in said, f"{expected} not in\n{said}"
    lines = pq.read_table(data / "status/tags.parquet").to_pylist()
    assert [line["status"] for line in lines] == [
        {4: "undecodable", 9: "missing"}.get(row, "ok") for row in range(NUM_VIDEOS)]


def test_short_videos_count_where_a_length_is_asked(data: Path) -> None:
    code, said = check(data, "--min-frames", "9", "--max-bad-share", "0.9")
    assert code == 3
    assert "short" in said


def test_every_data_set_of_a_config_is_checked_and_a_run_uses_it(data: Path) -> None:
    config = ("--cfg", str(data / "run.yaml"))
    code, said = run("check_data", *config, "--out", str(data / "status"), "--max-bad-share", "0.2", "--workers", "1")
    assert code == 0, said
    assert sorted(path.name for path in (data / "status").glob("*.parquet")) == ["d_pre.parquet",
                                                                                 "motions_train.parquet"]
    plan = ("--dry-run", "CLUSTER.NUM_CLUSTERS", "2")
    assert run("run_net", *config, *plan, "DATA.STATUS", str(data / "status"))[0] == 0
    (data / "tags.jsonl").write_text((data / "tags.jsonl").read_text().replace('"t"', '"u"'))
    code, said = run("run_net", *config, *plan, "DATA.STATUS", str(data / "status"))
    assert code == 6
    assert "DATA.STATUS" in said
    assert "d_pre.parquet is of another index" in said
    code, said = run("run_net", *config, *plan, "DATA.STATUS", str(data / "nowhere"))
    assert code == 3
    assert "tools/check_data.py makes one" in said


def test_a_signal_ends_with_5_leaves_no_process_and_the_same_command_resumes(data: Path) -> None:
    for number in range(NUM_VIDEOS, 2200):
        os.link(data / "videos/00.mp4", data / f"videos/{number:02d}.mp4")
    lines = [json.dumps({"path": f"videos/{number:02d}.mp4", "tags": ["t"]}) for number in range(2200)]
    (data / "tags.jsonl").write_text("\n".join(lines) + "\n")
    process = start("check_data", "--data", f"weak_labels:{data / 'tags.jsonl'}", "--out", str(data / "status"),
                    "--workers", "1", "--max-bad-share", "1")
    while not list((data / "status").glob("*.partial/rows-*.parquet")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    workers = [pid for file in children for pid in file.read_text().split()]
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 5, said
    assert "stopped by SIGTERM" in said
    assert workers
    assert not [pid for pid in workers if Path(f"/proc/{pid}/cmdline").exists()
                and b"worker_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    code, said = check(data, "--max-bad-share", "1")
    assert code == 0, said
    table = pq.read_table(data / "status/tags.parquet")
    assert table.column("row").to_pylist() == list(range(2200))
    assert table.column("status").to_pylist()[:10] == [
        {4: "undecodable", 9: "missing"}.get(row, "ok") for row in range(10)]


@pytest.mark.parametrize(("arguments", "code", "message"), [
    ((), 2, "--data"), (("--data", "kinetics"), 2, "expected FORMAT:PATH"),
    (("--data", "kinetic:/nowhere"), 3, "kinetic"), (("--data", "kinetics:/nowhere"), 3, "/nowhere"),
    (("--data", "kinetics:x", "--decode", "some"), 2, "a number of frames, or all"),
    (("--data", "kinetics:x", "--max-bad-share", "7"), 2, "[0, 1]"),
    (("--cfg", "nowhere.yaml"), 2, "nowhere.yaml"), (("--cfg", "x.yaml", "--root", "y"), 2, "--root"),
    (("--help",), 0, "Exit codes")])
def test_command_lines(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    found, said = run("check_data", *arguments, *(() if "--help" in arguments else ("--out", str(tmp_path))))
    assert found == code, said
    assert message in said
