"""The measured videos are what they claim to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cfvideo.bench.sources import SOURCES, make, pictures, shortened
from cfvideo.data.decode import probe, read_frames


@pytest.mark.parametrize("source", [SOURCES[0], SOURCES[2], SOURCES[-1]], ids=lambda one: one.name)
def test_sources(tmp_path: Path, source: object) -> None:
    small = shortened(source, 20)  # type: ignore[arg-type]
    info = probe(make(small, tmp_path))
    assert (info.num_frames, info.width, info.height, info.codec) == (20, *small.size, "h264")
    assert not info.counted


def test_repeats_show_the_same_pictures_again(tmp_path: Path) -> None:
    frames = read_frames(make(replace(shortened(SOURCES[-1], 10), repeats=3), tmp_path), choose=range)
    assert len(frames) == 30
    np.testing.assert_array_equal(frames[:10], frames[20:])
    assert not np.array_equal(frames[0], frames[1])


def test_a_kept_video_is_not_made_again(tmp_path: Path) -> None:
    small = shortened(SOURCES[0], 5)
    made = make(small, tmp_path).stat()
    assert make(small, tmp_path).stat() == made
    assert make(replace(small, gop=12), tmp_path) != make(small, tmp_path)


def test_pictures_depend_on_the_seed_alone() -> None:
    small = shortened(SOURCES[0], 3)
    first, again, other = (list(pictures(one)) for one in (small, small, replace(small, seed=9)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first[0].shape == (small.size[1], small.size[0], 3)
