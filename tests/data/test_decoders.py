"""Which decoder a word stands for, what is said where it is missing, and what the survey of a file tells."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cfvideo.core import dali_library
from cfvideo.core.errors import ConfigError
from cfvideo.core.index import Index
from cfvideo.core.media_file import MediaError
from cfvideo.core.records import Reading
from cfvideo.core.specs import DataSpec
from cfvideo.data.batches import eval_batches
from cfvideo.data.decode import decode_frames
from cfvideo.data.decoders import dali_backend, decord_backend, fenced
from cfvideo.data.decoders.choice import DECODERS, RESOLVED, needs_process, resolved_decoder
from cfvideo.data.decoders.resizing import Resizer, Unexpected
from cfvideo.data.decoders.survey import MAX_BYTES, Survey, nal_types, survey
from cfvideo.data.pixels import same_size
from tests.source_tree import ROOT
from tests.synthetic import numbers_of, write_audio_only

Video = Callable[[str], Path]


def absent(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make imports of these packages fail, as where they are not installed."""
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def test_the_config_and_the_boundary_know_the_same_words() -> None:
    (choices,) = [field.metadata["choices"] for field in DataSpec.__dataclass_fields__.values()
                  if field.name == "decoder"]
    assert set(DECODERS) < set(choices)  # the rest is for images


@pytest.mark.parametrize("word", DECODERS)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_fingerprints_get_a_resolved_name(monkeypatch: pytest.MonkeyPatch, word: str, device: str) -> None:
    for backend in ("data.decoders.decord_backend", "data.decoders.torchcodec_backend", "core.dali_library"):
        monkeypatch.setattr(f"cfvideo.{backend}.load", lambda: None)
    monkeypatch.setattr(dali_library, "is_installed", lambda: True)
    name = resolved_decoder(word, device)
    assert name in RESOLVED
    assert resolved_decoder(name, device) == name
    expected = {("auto", "cpu"): "pyav", ("auto", "cuda"): "dali_gpu", ("dali", "cpu"): "dali_cpu",
                ("dali", "cuda"): "dali_gpu"}
    assert name == expected.get((word, device), word)


def test_auto_without_dali_is_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dali_library, "is_installed", lambda: False)
    assert resolved_decoder("auto", "cuda") == "pyav"


@pytest.mark.parametrize(("word", "module", "hint"), [
    ("decord", "decord", "pip install decord==0.6.0"), ("torchcodec", "torchcodec", "pip install torchcodec"),
    ("dali", "nvidia.dali.experimental.dynamic", "pip install nvidia-dali-cuda130")])
def test_a_missing_package_is_named_with_its_install_command(monkeypatch: pytest.MonkeyPatch, word: str, module: str,
                                                             hint: str) -> None:
    absent(monkeypatch, module)
    with pytest.raises(ConfigError, match=hint) as failure:
        resolved_decoder(word, "cpu")
    assert "DATA.DECODER" in str(failure.value)


def test_unknown_words_are_refused() -> None:
    with pytest.raises(ConfigError, match="'opencv'; allowed: auto, pyav, decord, torchcodec, dali"):
        resolved_decoder("opencv", "cpu")


def test_only_decord_must_be_fenced_in_a_process() -> None:
    assert [name for name in RESOLVED if needs_process(name)] == ["decord"]


def test_the_boundary_imports_no_decoder_and_no_torch() -> None:
    code = ("import sys, cfvideo.data.jobs; "
            "print([name for name in ('av', 'decord', 'torchcodec', 'nvidia.dali', 'torch') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, stdout=subprocess.PIPE, check=True)
    assert done.stdout.strip() == "[]"


# --- the survey -------------------------------------------------------------------------------------------------

def test_what_the_survey_tells(video: Video) -> None:
    found = survey(video("gop12"), max_pixels=1 << 24)
    assert (found.num_frames, found.codec, found.pixel_format) == (48, "h264", "yuv420p")
    assert (found.width, found.height, found.stream) == (64, 48, 0)
    assert found.clean_entries
    assert not survey(video("open_gop"), max_pixels=1 << 24).clean_entries
    assert not survey(video("intra_refresh"), max_pixels=1 << 24).clean_entries
    assert survey(video("ts"), max_pixels=1 << 24).num_frames is None


@pytest.mark.parametrize(("change", "why"), [
    ({"num_frames": None}, "do not tell its frames apart"), ({"size_bytes": MAX_BYTES + 1}, "larger than 256 MiB"),
    ({"hidden_frames": True}, "edit list"), ({"codec": "hevc"}, "not on hevc"), ({"fragmented": True}, "whole mp4"),
    ({"container": "avi"}, "exact on H.264"), ({"clean_entries": False}, "open groups"),
    ({"pixel_format": "yuv420p10le"}, "yuv420p10le"), ({"orientation": (True, False, False)}, "turned")])
def test_decord_is_fenced_for_every_reason_on_its_own(video: Video, change: dict[str, object], why: str) -> None:
    found = survey(video("gop12"), max_pixels=1 << 24)
    assert decord_backend.unfit(found) == ""
    assert why in decord_backend.unfit(replace(found, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(("change", "fits"), [
    ({}, True), ({"codec": "av1"}, False), ({"width": 64}, False), ({"height": 4320, "width": 7680}, False),
    ({"pixel_format": "yuv444p"}, False), ({"orientation": (True, False, False)}, True),
    ({"clean_entries": False}, False), ({"num_frames": None}, False), ({"matrix": 1}, False), ({"matrix": 6}, True)])
def test_what_goes_to_nvdec(video: Video, change: dict[str, object], fits: bool) -> None:
    found = replace(survey(video("gop12"), max_pixels=1 << 24), width=340, height=256)
    assert (dali_backend.unfit("dali_gpu", replace(found, **change)) == "") is fits  # type: ignore[arg-type]


def test_bad_files_fail_in_the_survey_as_everywhere(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as failure:
        survey(tmp_path / "none.mp4", max_pixels=1 << 24)
    assert failure.value.status == "missing"
    with pytest.raises(MediaError) as failure:
        survey(write_audio_only(tmp_path / "x.mp4"), max_pixels=1 << 24)
    assert failure.value.status == "no_video"


def test_unit_types_behind_their_lengths() -> None:
    packet = memoryview(b"\0\0\0\x02\x67\0" + b"\0\0\0\x01\x65" + b"\0\0\0\x09\x41")
    assert list(nal_types(packet, 4)) == [7, 5, 1]
    assert list(nal_types(memoryview(b""), 4)) == []


# --- a backend that fails or lies -------------------------------------------------------------------------------

def test_a_backend_that_fails_leaves_the_file_to_pyav_and_the_chooser_is_asked_once(
        video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(data: bytes, found: Survey, numbers: list[int], resize: object) -> None:
        raise Unexpected("a test")

    asked: list[int] = []

    def choose(num_frames: int) -> list[int]:
        asked.append(num_frames)
        return [7, 3]

    monkeypatch.setattr(fenced.decord_backend, "load", lambda: None)
    monkeypatch.setattr(fenced.decord_backend, "decode", failing)
    found = decode_frames(video("gop12"), choose=choose, decoder="decord")
    assert (numbers_of(found.frames), found.decoder, asked) == ([7, 3], "pyav", [48])


def test_a_file_that_vanishes_after_its_survey_is_one_bad_file(tmp_path: Path, video: Video,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fenced.decord_backend, "load", lambda: None)
    path = Path(shutil.copy(video("gop12"), tmp_path))

    def choose(num_frames: int) -> list[int]:
        path.unlink()
        return [0]

    with pytest.raises(MediaError, match="missing: the file cannot be found"):
        fenced.fenced_frames("decord", path, choose=choose, resize=same_size, max_pixels=1 << 20)


def test_decord_decodes_in_worker_processes_and_every_batch_tells(video: Video) -> None:
    """Widths of 16, 24, 48 and 72 pixels are beyond decord 0.6; PyAV's then. 64 is not."""
    pytest.importorskip("decord")
    root = video("gop12").parent
    video("ts")
    index = Index.build(paths=[b"gop12.mp4", b"ts.ts"], sizes=[0] * 2, labels=[[]] * 2, label_names=[], root=root)
    view = {"num_frames": 4, "frame_stride": 1, "short_edge_px": 48, "crop_px": 48, "flip": False}
    given, expected = (
        next(eval_batches(index, np.arange(2), view=view, num_views=2, batch_rows=2,
                          reading=Reading(decoder=decoder, threads=1))) for decoder in ("decord", "pyav"))
    assert given.decoders == {"decord": 1, "pyav": 1}
    assert given.valid.all()
    assert float((given.data - expected.data).abs().max()) < 0.06  # 3 grey levels
    assert expected.decoders == {"pyav": 2}


def test_pictures_of_another_shape_are_not_believed() -> None:
    with pytest.raises(Unexpected, match="expected"):
        Resizer([0, 1], same_size).add([0, 1], np.zeros((1, 8, 8, 3), np.uint8), (8, 8))


def test_a_reader_that_counts_other_frames_is_not_believed(video: Video) -> None:
    pytest.importorskip("decord")
    found = replace(survey(video("gop12"), max_pixels=1 << 24), num_frames=47)
    with pytest.raises(Unexpected, match="decord counts 48 frames, the packets 47"):
        decord_backend.decode(video("gop12").read_bytes(), found, [1], same_size)
