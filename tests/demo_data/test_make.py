"""The data set as a whole: the same bytes from any number of processes, resumable, and never mixed with another."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfvideo.core.errors import ConfigError
from cfvideo.demo_data.make import IDENTITY, Progress, make
from cfvideo.demo_data.pictures import Pictures
from cfvideo.demo_data.plan import Size
from cfvideo.demo_data.weak_tags import TagNoise

SIZE = Size(num_pre=4, train_per_class=1, val_per_class=1, train_per_label=1, test_per_label=1, edge_px=32,
            num_frames=4)
NUM_VIDEOS = 4 + 8 + 8 + 16 + 16


def run(out: Path, pictures: Pictures, *, seed: int = 5, num_workers: int = 1,
        noise: TagNoise | None = None) -> list[Progress]:
    return list(make(out, pictures, size=SIZE, seed=seed, noise=noise or TagNoise(), num_workers=num_workers))


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, pictures: Pictures) -> Path:
    out = tmp_path_factory.mktemp("data") / "demo"
    assert run(out, pictures)[-1] == Progress(0, NUM_VIDEOS, NUM_VIDEOS)
    return out


def test_the_layout(made: Path) -> None:
    names = set(content(made))
    assert {IDENTITY, "d_pre/tags.jsonl", "d_pre/truth.csv", "fine/labels.txt", "fine/train_partition.txt",
            "fine/test_partition.txt", "d_pre/videos/000000.mp4", "motions/train/spin/000005.mp4",
            "motions/val/wave/000006.mp4", "fine/videos/train_000000.mp4"} <= names
    assert sum(name.endswith(".mp4") for name in names) == NUM_VIDEOS
    assert all(name.endswith((".mp4", ".jsonl", ".csv", ".txt", ".json")) for name in names)


def test_two_processes_write_the_same_bytes(made: Path, tmp_path: Path, pictures: Pictures) -> None:
    run(tmp_path / "other", pictures, num_workers=2)
    assert content(tmp_path / "other") == content(made)


def test_videos_differ_from_each_other_and_between_seeds(made: Path, tmp_path: Path, pictures: Pictures) -> None:
    videos = [data for name, data in content(made).items() if name.endswith(".mp4")]
    assert len(set(videos)) == NUM_VIDEOS
    run(tmp_path / "other", pictures, seed=6)
    others = [data for name, data in content(tmp_path / "other").items() if name.endswith(".mp4")]
    assert not set(videos) & set(others)


def test_a_second_run_touches_nothing(made: Path, pictures: Pictures) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    assert run(made, pictures) == [Progress(NUM_VIDEOS, 0, NUM_VIDEOS)]
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


def test_an_interrupted_run_is_completed(made: Path, tmp_path: Path, pictures: Pictures) -> None:
    out = tmp_path / "demo"
    steps = make(out, pictures, size=SIZE, seed=5, noise=TagNoise())
    next(steps), next(steps)
    steps.close()
    some = [path for path in out.rglob("*.mp4")]
    assert 0 < len(some) < NUM_VIDEOS
    some[0].write_bytes(b"")  # as a power cut may leave it
    (out / "fine" / "labels.txt").unlink()
    assert run(out, pictures)[-1] == Progress(len(some) - 1, NUM_VIDEOS - len(some) + 1, NUM_VIDEOS)
    assert content(out) == content(made)


def test_another_seed_or_noise_in_the_same_folder_is_refused(made: Path, pictures: Pictures) -> None:
    before = content(made)
    with pytest.raises(ConfigError, match="seed: 5 there, 6 asked for.*--out"):
        run(made, pictures, seed=6)
    with pytest.raises(ConfigError, match="tags"):
        run(made, pictures, noise=TagNoise(wrong=0.1))
    assert content(made) == before


def test_a_folder_with_other_things_is_refused(tmp_path: Path, pictures: Pictures) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ConfigError, match="not empty"):
        run(tmp_path, pictures)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way_is_refused(tmp_path: Path, pictures: Pictures) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--out"):
        run(tmp_path / "file", pictures)


@pytest.mark.parametrize("text", ["{", "[1]", "null", "{}"])
def test_a_damaged_identity_is_refused(text: str, tmp_path: Path, pictures: Pictures) -> None:
    (tmp_path / IDENTITY).write_text(text)
    with pytest.raises(ConfigError, match="--out"):
        run(tmp_path, pictures)
