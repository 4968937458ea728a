"""DALI's batches on the CPU: the code of the GPU path with another device name. Rows, frames and crops are PyAV's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cfvideo.core import dali_library
from cfvideo.core.index import Index
from cfvideo.core.records import Batch, Draws, Reading
from cfvideo.data import dali
from cfvideo.data.batches import eval_batches, train_batches
from cfvideo.data.decoders import dali_backend
from cfvideo.data.decoders.resizing import Unexpected
from cfvideo.data.transforms import STD
from tests.data.test_batches import levels
from tests.data.test_parity import TURNS
from tests.synthetic import Recipe, numbers_of, write_video

pytestmark = pytest.mark.skipif(not dali_library.is_installed(), reason="DALI is not installed")
VIEW = {"num_frames": 4, "frame_stride": 2, "short_edge_px": 32, "crop_px": 32, "flip": False}
VP9: dict[str, Any] = {"codec": "libvpx-vp9", "codec_options": {"deadline": "realtime", "cpu-used": "8"}}
H264, BROKEN, TURNED, LIES = 2, 3, 4, 6


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Row i starts with number 1000 * i; rows 0, 1, 4, 5 and 6 are for DALI, 2 is H.264, 3 no video."""
    root = tmp_path_factory.mktemp("videos")
    square: dict[str, Any] = {"size": (32, 32)}
    write_video(root / "0.webm", Recipe(num_frames=20, first_number=0, **square, **VP9))
    write_video(root / "1.webm", Recipe(num_frames=3, first_number=1000, **square, **VP9))
    write_video(root / "2.mp4", Recipe(num_frames=31, first_number=2000, **square))
    (root / "3.webm").write_text("no video")
    write_video(root / "4.mp4", Recipe(num_frames=12, first_number=4000, size=(48, 40), matrix=TURNS["90"], **VP9))
    write_video(root / "5.mov", Recipe(num_frames=9, first_number=5000, size=(86, 64), codec="mjpeg",
                                       pixel_format="yuvj420p"))
    write_video(root / "6.webm", Recipe(num_frames=25, first_number=6000, size=(64, 64), **VP9))
    names = [b"0.webm", b"1.webm", b"2.mp4", b"3.webm", b"4.mp4", b"5.mov", b"6.webm"]
    return Index.build(paths=names, sizes=[0] * 7, labels=[[]] * 7, label_names=[], root=root)


def evaluated(index: Index, decoder: str, batch_rows: int = 4, rows: Any = range(7), **view: Any) -> list[Batch]:
    return list(eval_batches(index, np.array(rows), view=VIEW | view, num_views=3, batch_rows=batch_rows,
                             reading=Reading(decoder=decoder)))


def trained(index: Index, decoder: str, **view: Any) -> list[Batch]:
    steps = [Draws(np.array([6, 3, 0, 2]), np.array([0, 0, 1, 1])), Draws(np.array([], np.int64), np.array([])),
             Draws(np.array([5, 4, 1]), np.array([2, 2, 3]))]
    return list(train_batches(index, steps, view=VIEW | view, seed=4, reading=Reading(decoder=decoder)))


def assert_alike(found: list[Batch], expected: list[Batch], worst_levels: float) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.rows.tolist() == other.rows.tolist()
        assert one.views.tolist() == other.views.tolist()
        assert one.valid.tolist() == other.valid.tolist()
        assert [str(failure) for failure in one.failures] == [str(failure) for failure in other.failures]
        assert one.data.shape == other.data.shape
        assert one.data.stride() == other.data.stride()
        gap = (one.data - other.data).abs() * 255 * torch.tensor(STD).view(1, 3, 1, 1, 1)
        assert not len(gap) or float(gap.max()) < worst_levels + 0.1


def test_eval_batches_are_pyavs_and_tell_what_decoded(index: Index) -> None:
    found = evaluated(index, "dali_cpu", short_edge_px=40)
    assert_alike(found, evaluated(index, "pyav", short_edge_px=40), worst_levels=2)
    assert [batch.decoders for batch in found] == [{"dali_cpu": 2, "pyav": 1}, {"dali_cpu": 3}]
    assert [failure.row for batch in found for failure in batch.failures] == [BROKEN]


def test_a_networks_own_statistics_are_used_for_what_dali_decoded_and_for_the_rest(index: Index) -> None:
    own = {"mean": [0.9, 0.8, 0.7], "std": [0.25, 0.3, 0.35]}
    assert_alike(evaluated(index, "dali_cpu", **own), evaluated(index, "pyav", **own), worst_levels=2)
    one, usual = (evaluated(index, "dali_cpu", **view)[0].data[0] for view in (own, {}))
    assert float(one.mean()) < float(usual.mean())


def test_training_batches_draw_the_same_clips_crops_and_mirrorings(index: Index) -> None:
    view = {"short_edge_px": 40, "flip": True}
    assert_alike(trained(index, "dali_cpu", **view), trained(index, "pyav", **view), worst_levels=2)


def test_frames_are_those_of_the_row(index: Index) -> None:
    (batch,) = evaluated(index, "dali_cpu", rows=[6, 0], batch_rows=2)
    assert [numbers_of(clip) for clip in levels(batch)] == [
        [6000, 6002, 6004, 6006], [6009, 6011, 6013, 6015], [6018, 6020, 6022, 6024],
        [0, 2, 4, 6], [6, 8, 10, 12], [13, 15, 17, 19]]


def test_a_sample_that_fails_costs_only_itself(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """DALI refuses whatever batch row 6 is in; alone it fails again, and PyAV decodes it."""
    expected, sizes = evaluated(index, "pyav", rows=[0, 6, 1], batch_rows=3), list[int]()
    bad = np.fromfile(index.path_of(LIES), np.uint8)

    def failing(decoder: str, samples: Any, numbers: Any) -> list[torch.Tensor]:
        sizes.append(len(samples))
        if any(np.array_equal(sample, bad) for sample in samples):
            raise Unexpected("a test")
        return dali_backend.decode(decoder, samples, numbers)

    monkeypatch.setattr(dali, "decode", failing)
    found = evaluated(index, "dali_cpu", rows=[0, 6, 1], batch_rows=3)
    assert_alike(found, expected, worst_levels=2)
    assert found[0].decoders == {"dali_cpu": 2, "pyav": 1}
    assert sizes == [3, 1, 1, 1]


def test_a_file_that_lost_its_content_is_one_invalid_row(index: Index) -> None:
    """It passes the scan of its packets, and then neither DALI nor PyAV can decode all of it."""
    path = Path(index.path_of(LIES))
    whole = path.read_bytes()
    path.write_bytes(whole[:600] + bytes(len(whole) - 900) + whole[-300:])
    try:
        (batch,) = evaluated(index, "dali_cpu", rows=[0, 6, 1], batch_rows=3)
    finally:
        path.write_bytes(whole)
    assert batch.valid.reshape(3, 3).all(axis=1).tolist() == [True, False, True]
    assert [(failure.row, failure.status) for failure in batch.failures] == [(LIES, "undecodable")]
    assert not batch.data[3:6].any()


def test_large_videos_are_decoded_in_portions(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = evaluated(index, "dali_cpu", rows=[0, 1, 6], batch_rows=3)
    monkeypatch.setattr(dali_library, "BYTES_AT_ONCE", 1)
    assert_alike(evaluated(index, "dali_cpu", rows=[0, 1, 6], batch_rows=3), expected, worst_levels=0)


def test_a_consumer_may_stop_early(index: Index) -> None:
    batches: Iterator[Batch] = train_batches(
        index, (Draws(np.array([0]), np.array([step])) for step in range(1000)), view=VIEW, seed=0,
        reading=Reading(decoder="dali_cpu"))
    next(batches)
    batches.close()  # type: ignore[attr-defined]


def test_a_decoder_that_gives_too_few_frames_is_not_believed(index: Index) -> None:
    with pytest.raises(Unexpected):
        dali_backend.decode("dali_cpu", [np.fromfile(index.path_of(1), np.uint8)], [[0, 3]])


@pytest.mark.gpu
def test_the_gpu_gives_pyavs_clips(index: Index) -> None:
    """NVDEC and its colour conversion differ from FFmpeg's by a few levels; rows, frames and crops do not."""
    found = evaluated(index, "dali_gpu", short_edge_px=32)
    assert all(batch.data.is_cuda for batch in found)
    host = [Batch(b.rows, b.views, b.data.cpu(), b.valid, b.failures) for b in found]
    for batch, expected in zip(host, evaluated(index, "pyav", short_edge_px=32), strict=True):
        assert batch.valid.tolist() == expected.valid.tolist()
        assert [numbers_of(clip) for clip in levels(batch)] == [numbers_of(clip) for clip in levels(expected)]


@pytest.mark.gpu
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_nvdec_finds_frames_by_number(tmp_path: Path, codec: str) -> None:
    write_video(tmp_path / "0.mp4", Recipe(num_frames=60, size=(256, 256), codec=codec, codec_options={
        "x265-params": "log-level=none"} if codec == "libx265" else {}))
    index = Index.build(paths=[b"0.mp4"], sizes=[0], labels=[[]], label_names=[], root=tmp_path)
    (batch,) = eval_batches(index, np.array([0]), view=VIEW | {"short_edge_px": 128, "crop_px": 128}, num_views=6,
                            batch_rows=1, reading=Reading(decoder="dali_gpu"))
    (expected,) = eval_batches(index, np.array([0]), view=VIEW | {"short_edge_px": 128, "crop_px": 128}, num_views=6,
                               batch_rows=1, reading=Reading(decoder="pyav"))
    assert batch.decoders == {"dali_gpu": 1}
    host = Batch(batch.rows, batch.views, batch.data.cpu(), batch.valid)
    assert [numbers_of(clip) for clip in levels(host)] == [numbers_of(clip) for clip in levels(expected)]
