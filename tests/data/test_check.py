"""Checking a data set: every planted fault is found, nothing else is, and nothing is checked twice."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cfvideo.core.errors import DecodeError, IntegrityError, Interrupted
from cfvideo.core.index import Index
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.records import Reading
from cfvideo.core.row_status import digest, read_known_bad
from cfvideo.core.screen import Screen
from cfvideo.data import check as check_module
from cfvideo.data.check import Check, finished, partial_folder, run_check
from cfvideo.data.check_summary import summarise
from cfvideo.data.health import ALL_FRAMES, examine, has_variable_rate
from cfvideo.data.workers import WorkerPool
from tests.data.test_workers import FAULTY
from tests.synthetic import RECIPES, Recipe, cut, damaged, write_audio_only, write_kind, write_video

NUM_FILES = 300
MIN_FRAMES = 10
GOOD = ("gop12", "pyramid", "mkv", "vfr_mp4", "ts", "avi_mpeg4", "vp9", "odd_size", "frames_31", "sound")
SMALL: dict[str, Any] = {"num_frames": 12, "size": (32, 32)}
TURN = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)


def masters(folder: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """Good videos of many kinds, and for every status the files that deserve it."""
    good = [write_kind(folder, kind, **({} if kind == "frames_31" else SMALL)) for kind in GOOD]
    good.append(write_video(folder / "turned.mp4", Recipe(matrix=TURN, **SMALL)))
    large = write_video(folder / "whole.mp4", Recipe(num_frames=40, container_options={"movflags": "faststart"}))
    late_moov = write_video(folder / "late.mp4", Recipe(num_frames=40))
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("I am not a video. " * 40)
    (folder / "noise.webm").write_bytes(bytes(range(256)) * 20)
    (folder / "playlist.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\n{good[0]}\n#EXT-X-ENDLIST\n")
    huge = write_video(folder / "huge.mp4",
                       Recipe(num_frames=1, size=(4112, 4096), codec_options={"preset": "ultrafast"}))
    orders = {}
    for order in ("segfault", "hang"):
        orders[order] = folder / f"{order}.mp4"
        orders[order].write_text(f"FAULT {order}")
    return good, {
        "short": [write_video(folder / "short.mp4", Recipe(num_frames=MIN_FRAMES - 1, size=(32, 32)))],
        "truncated": [cut(large, folder / "cut.mp4", 0.9),
                      cut(write_kind(folder, "ts_open_gop"), folder / "cut.ts", 0.7)],
        "no_video": [write_audio_only(folder / "only_sound.mp4")],
        "refused": [huge],
        "undecodable": [folder / "empty.mp4", folder / "text.mp4", folder / "noise.webm", folder / "playlist.mp4",
                        cut(late_moov, folder / "no_moov.mp4", 0.7),
                        damaged(large, folder / "damaged.mp4", start=0.5, stop=0.9)],
        "crashed": [orders["segfault"]], "timeout": [orders["hang"]]}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, dict[int, str]]:
    """An index of 300 rows, and the status each must get. Links to a few files stand for copies."""
    base = tmp_path_factory.mktemp("corpus")
    made, root = base / "made", base / "root"
    made.mkdir()
    root.mkdir()
    good, faults = masters(made)
    planted = [(status, file) for status, files in faults.items() for file in files]
    expected: dict[int, str] = {}
    paths = []
    for row in range(NUM_FILES):
        status, source = planted[row // 20] if row % 20 == 7 and row // 20 < len(planted) else (
            "ok", good[row % len(good)])
        path = root / f"{row:03d}{source.suffix}"
        if row == 291:
            status = "missing"
        elif row == 292:
            status = "refused"
            os.mkfifo(path)
        elif row == 293:
            status = "refused"
            path.symlink_to(source)  # out of the root
        else:
            os.link(source, path)
        expected[row] = status
        paths.append(os.fsencode(path.name))
    sizes = [(root / os.fsdecode(path)).stat().st_size if expected[row] != "missing" else -1
             for row, path in enumerate(paths)]
    index = Index.build(paths=paths, sizes=sizes, labels=[[]] * NUM_FILES, label_names=[], root=root)
    return index, expected


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers whose decoder crashes and hangs where a file tells it to."""
    from cfvideo.data import row_jobs

    monkeypatch.setattr(row_jobs, "WorkerPool", lambda **given: WorkerPool(**{**given, "command": FAULTY}))


def checked(check: Check, file: Path, stop: StopRequest | None = None, chunk_rows: int = 64) -> list[dict[str, Any]]:
    screen = Screen()
    with screen.task("check", check.index.num_rows, "rows") as task:
        run_check(check, file, task=task, stop=stop or StopRequest(), chunk_rows=chunk_rows)
    lines: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return lines


def wide_check(index: Index) -> Check:
    return Check(index, num_decoded=ALL_FRAMES, min_frames=MIN_FRAMES, reading=Reading(workers=2, timeout_seconds=4))


@pytest.mark.slow
@pytest.mark.usefixtures("faulty")
def test_every_planted_fault_is_found_and_nothing_else(corpus: tuple[Index, dict[int, str]], tmp_path: Path) -> None:
    index, expected = corpus
    assert len(set(expected.values())) == 9
    lines = checked(wide_check(index), tmp_path / "status.parquet")
    assert {line["row"]: line["status"] for line in lines} == expected
    assert [line["path"] for line in lines] == [index.name_of(row) for row in range(NUM_FILES)]
    assert all(line["cause"] for line in lines if line["status"] not in ("ok", "short", "truncated"))
    summary = summarise(tmp_path / "status.parquet")
    assert summary.statuses == Counter(expected.values())
    assert summary.num_rows == NUM_FILES
    assert set(summary.examples) == set(expected.values()) - {"ok"}
    known = read_known_bad(tmp_path / "status.parquet", {index.content_hash: index.num_rows})[index.content_hash]
    assert {row: status for row, (status, _) in known.items()} == {
        row: status for row, status in expected.items() if status not in ("ok", "short", "truncated")}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Index:
    root = tmp_path_factory.mktemp("small")
    write_video(root / "a.mp4", Recipe(num_frames=5, size=(32, 32)))
    paths = []
    for row in range(40):
        os.link(root / "a.mp4", root / f"{row:02d}.mp4")
        paths.append(b"%02d.mp4" % row)
    (root / "13.mp4").unlink()
    return Index.build(paths=paths, sizes=[1] * 40, labels=[[]] * 40, label_names=[], root=root)


def small_check(index: Index, **more: Any) -> Check:
    return Check(index, num_decoded=0, min_frames=1, reading=Reading(**{"workers": 1, **more}))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows in the order in which they are looked at."""
    seen: list[int] = []
    real = check_module.job_of

    def counted(index: Index, row: int, *rest: Any) -> Any:
        seen.append(row)
        return real(index, row, *rest)

    monkeypatch.setattr(check_module, "job_of", counted)
    return seen


def test_finished_chunks_are_kept_after_an_interruption(small: Index, tmp_path: Path, looks: list[int]) -> None:
    check, file, stop = small_check(small), tmp_path / "s.parquet", StopRequest()

    class After(StopRequest):
        calls = 0

        def check(self) -> None:
            self.calls += 1
            if self.calls == 3:
                raise Interrupted("now")

    with pytest.raises(Interrupted):
        checked(check, file, After(), chunk_rows=16)
    assert not file.exists()
    assert len(list(partial_folder(check, file).glob("rows-*.parquet"))) == 2
    looks.clear()
    lines = checked(check, file, stop, chunk_rows=16)
    assert looks == list(range(32, 40))
    assert [line["row"] for line in lines] == list(range(40))
    assert Counter(line["status"] for line in lines) == {"ok": 39, "missing": 1}
    assert not partial_folder(check, file).exists()
    assert os.listdir(tmp_path) == ["s.parquet"]


def test_only_the_very_same_check_counts_as_finished(small: Index, tmp_path: Path) -> None:
    check, file = small_check(small), tmp_path / "s.parquet"
    assert not finished(check, file)
    checked(check, file)
    assert finished(check, file)
    assert finished(small_check(small, workers=3), file)
    assert not finished(replace(check, num_decoded=ALL_FRAMES), file)
    assert not finished(replace(check, min_frames=3), file)
    other = Index.build(paths=[b"a"], sizes=[1], labels=[[]], label_names=[], root=small.root)
    assert not finished(replace(check, index=other), file)
    file.write_bytes(b"PAR1 no more")
    with pytest.raises(IntegrityError, match="damaged"):
        finished(check, file)


def test_a_status_file_of_other_data_is_refused(small: Index, tmp_path: Path) -> None:
    checked(small_check(small), tmp_path / "s.parquet")
    for place in (tmp_path, tmp_path / "s.parquet"):
        (known,) = read_known_bad(place, {small.content_hash: small.num_rows}).values()
        assert {row: status for row, (status, _) in known.items()} == {13: "missing"}
        with pytest.raises(IntegrityError, match="another index"):
            read_known_bad(place, {"0" * 64: 9})
    assert digest(known) != digest({})
    (tmp_path / "s.parquet").write_text("no table")
    with pytest.raises(IntegrityError, match="damaged"):
        read_known_bad(tmp_path, {small.content_hash: small.num_rows})


@pytest.fixture
def kinds(video: Callable[[str], Path]) -> Callable[[str], dict[str, Any]]:
    return lambda kind: examine(video(kind), num_decoded=ALL_FRAMES, max_pixels=1 << 24)


@pytest.mark.parametrize(("kind", "rate"), [
    ("gop12", False), ("mkv", False), ("vfr_mkv", True), ("vfr_mp4", True), ("ts", False), ("late_start", False),
    ("frames_1", False), ("vp9", False)])
def test_variable_frame_rates_are_recognised(kinds: Callable[[str], dict[str, Any]], kind: str, rate: bool) -> None:
    facts = kinds(kind)
    assert facts["variable_rate"] is rate
    assert facts["num_frames"] == RECIPES[kind].num_frames
    assert facts["counted"] is (kind == "ts")


@pytest.mark.parametrize(("times", "rate"), [
    ([0, 33, 67, 100], False), ([0, 40, 80, 200], True), ([0, None, 80], None), ([0, 0, 40], None), ([5], False),
    ([80, 0, 40], False)])
def test_gaps(times: list[int | None], rate: bool | None) -> None:
    assert has_variable_rate(times) is rate


@pytest.mark.parametrize(("matrix", "name", "size"), [
    (None, "upright", (32, 24)), (TURN, "90", (24, 32)),
    ((-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30), "180", (32, 24)),
    ((0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30), "270", (24, 32)),
    ((-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), "mirrored", (32, 24))])
def test_orientations(tmp_path: Path, matrix: tuple[int, ...] | None, name: str, size: tuple[int, int]) -> None:
    path = write_video(tmp_path / "v.mp4", Recipe(num_frames=2, size=(32, 24), matrix=matrix))
    facts = examine(path, num_decoded=0, max_pixels=1 << 24)
    assert (facts["orientation"], (facts["width"], facts["height"])) == (name, size)


def test_how_many_frames_are_decoded_decides_what_is_found(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "w.mp4", Recipe(num_frames=48, gop=12, container_options={"movflags": "faststart"}))
    path = damaged(whole, tmp_path / "d.mp4", start=0.8, stop=0.95)
    assert examine(path, num_decoded=0, max_pixels=1 << 24)["num_frames"] == 48
    for num_decoded in (2, 6, ALL_FRAMES):
        with pytest.raises(DecodeError, match="undecodable"):
            examine(path, num_decoded=num_decoded, max_pixels=1 << 24)
