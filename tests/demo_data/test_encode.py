"""The files are real H.264, the same bytes every time, and never half written."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cfvideo.core.errors import ConfigError, DataError
from cfvideo.demo_data.encode import FRAMES_PER_SECOND, encode_mp4, write_whole

av: Any = pytest.importorskip("av")


@pytest.fixture(scope="module")
def frames() -> NDArray[np.uint8]:
    """20 grey frames, each 10 levels lighter than the one before."""
    grey = np.arange(30, 230, 10, dtype=np.uint8)
    return np.tile(grey[:, None, None, None], (1, 48, 64, 3))


def test_reads_back_as_the_same_frames_in_order(frames: NDArray[np.uint8]) -> None:
    with av.open(io.BytesIO(encode_mp4(frames))) as container:
        stream = container.streams.video[0]
        assert (stream.codec.name, stream.pix_fmt, stream.frames) == ("h264", "yuv420p", 20)
        assert (stream.width, stream.height, stream.average_rate) == (64, 48, FRAMES_PER_SECOND)
        decoded = list(container.decode(stream))
    lightness = np.array([frame.to_ndarray(format="rgb24").mean() for frame in decoded])
    assert np.abs(lightness - frames.mean(axis=(1, 2, 3))).max() < 4
    assert sum(frame.key_frame for frame in decoded) == 2


def test_bytes_depend_on_the_frames_alone(frames: NDArray[np.uint8]) -> None:
    assert encode_mp4(frames) == encode_mp4(frames)
    assert encode_mp4(frames) != encode_mp4(frames[::-1])


def test_vp9_reads_back_as_the_same_frames_in_order(frames: NDArray[np.uint8]) -> None:
    data = encode_mp4(frames, "vp9")
    assert data == encode_mp4(frames, "vp9")
    with av.open(io.BytesIO(data)) as container:
        assert container.streams.video[0].codec.name == "vp9"
        decoded = list(container.decode(container.streams.video[0]))
    lightness = np.array([frame.to_ndarray(format="rgb24").mean() for frame in decoded])
    assert np.abs(lightness - frames.mean(axis=(1, 2, 3))).max() < 4


def test_odd_sizes_are_refused_with_the_reason(frames: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError, match="must be even"):
        encode_mp4(np.ascontiguousarray(frames[:, :47]))


def test_without_pyav(frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DataError, match="pip install av"):
        encode_mp4(frames)


def test_a_file_is_replaced_whole_and_leaves_no_litter(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b.txt", b"old")
    write_whole(tmp_path / "a" / "b.txt", b"new")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_a_failed_write_names_the_file_and_leaves_no_litter(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConfigError, match="taken.*--out"):
        write_whole(tmp_path / "taken", b"x")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--out"):
        write_whole(tmp_path / "file" / "below", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]
