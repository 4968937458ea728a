"""torchcodec over every kind of video, in a process of its own that finds the FFmpeg libraries of PyAV's wheel.

torchcodec needs shared FFmpeg libraries under their own names, which a machine may not have; PyAV's wheel carries
them under names with a hash. A folder of links gives torchcodec what it looks for.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.data.test_parity import TURNS, picks
from tests.source_tree import ROOT
from tests.synthetic import RECIPES, Recipe, cut, overstated, remux, write_video

Video = Callable[[str], Path]
LIBRARIES = Path(av.__file__).parent.parent / "av.libs"
pytestmark = [pytest.mark.skipif(importlib.util.find_spec("torchcodec") is None, reason="torchcodec is not installed"),
              pytest.mark.skipif(not LIBRARIES.is_dir(), reason="PyAV is no wheel with FFmpeg inside")]
BY_PYAV = {"open_gop", "interlaced", "intra_refresh", "mkv_open_gop", "fragmented", "ts", "ts_open_gop", "avi_mpeg4",
           "avi_h264", "avi_mjpeg", "mp4_mpeg4", "mpeg_ps", "flv", "asf", "vp8_altref"}


def link_libraries(folder: Path) -> Path:
    """libavcodec-5e6b81c2.so.62.28.102 -> libavcodec.so.62, and all others as they are."""
    folder.mkdir()
    for library in LIBRARIES.iterdir():
        (folder / library.name).symlink_to(library)
        match = re.fullmatch(r"(lib(?:av|sw)\w+)-[0-9a-f]+\.so\.(\d+)\..*", library.name)
        if match is not None:
            (folder / f"{match[1]}.so.{match[2]}").symlink_to(library)
    return folder


def answers(requests: list[tuple[Path, list[int]]], libraries: Path | None) -> list[dict[str, Any]]:
    """What torchcodec_reader.py says to each request."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if libraries is not None:
        environment["LD_LIBRARY_PATH"] = str(libraries)
    lines = "".join(json.dumps([str(path), numbers]) + "\n" for path, numbers in requests)
    done = subprocess.run([sys.executable, "-m", "tests.data.torchcodec_reader"], input=lines, text=True, cwd=ROOT,
                          env=environment, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_torchcodec_is_exact_or_not_asked(video: Video, tmp_path: Path) -> None:
    requests = [(kind, video(kind), pick) for kind in RECIPES for pick in picks(RECIPES[kind].num_frames)]
    for turn, matrix in TURNS.items():
        requests.append((turn, write_video(tmp_path / f"{turn}.mp4", Recipe(num_frames=5, matrix=matrix)), []))
    edited = remux(video("gop12"), tmp_path / "edit.mp4", skip_until_ms=280)
    broken = cut(video("mkv"), tmp_path / "cut.mkv", 0.7)
    known = [request for request in requests if request[2]]
    lies = overstated(video("gop12"), tmp_path / "lies.mp4", 480)
    others = [(path, [0, 4]) for _, path, pick in requests if not pick] + [(edited, [0, 4]), (broken, [0, 4])]
    others.append((lies, [0, 30, 47]))
    found = answers([(path, pick) for _, path, pick in known] + others, link_libraries(tmp_path / "libraries"))
    if "it finds no FFmpeg" in found[0].get("error", ""):
        pytest.skip("this torchcodec does not take the FFmpeg of this PyAV")
    for (kind, _, pick), answer in zip(known, found, strict=False):
        assert (kind, answer["numbers"]) == (kind, pick)
        assert (kind, answer["decoder"]) == (kind, "pyav" if kind in BY_PYAV else "torchcodec")
        assert answer["gap"] < 2
    assert [answer["decoder"] for answer in found[len(known):-1]] == ["pyav"] * 5
    assert [answer["gap"] for answer in found[len(known):-1]] == [0.0] * 5
    assert found[-1]["numbers"] == [0, 30, 47]


def test_without_ffmpeg_the_message_says_what_to_install(video: Video) -> None:
    (answer,) = answers([(video("gop12"), [1])], None)
    if "numbers" in answer:
        pytest.skip("there is an FFmpeg on this machine")
    assert "apt-get install ffmpeg" in answer["error"]
    assert "DATA.DECODER at auto" in answer["error"]
