"""The command on real encoded video and on images."""

from __future__ import annotations

import json
import re
import runpy
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfimage.modality import IMAGE
from cfvideo.core.cli import run
from cfvideo.modality import VIDEO
from tests.source_tree import ROOT
from tests.synthetic import Recipe, numbers_of, write_video

CONFIG = """
NAME: tiny
MODALITY: {modality}
OUTPUT_DIR: {folder}/out
D_PRE: {{FORMAT: weak_labels, PATH: {folder}/tags.jsonl}}
N_PRE: &net
  ARCH: {arch}
  WIDTHS: [4, 4, 8, 8]
  CLIP: {{NUM_FRAMES: 4, FRAME_STRIDE: 2, SHORT_EDGE_PX: 32, CROP_PX: 32}}
  SOLVER: {{MAX_SAMPLES: 16, BATCH_SIZE: 8, NUM_HALVINGS: 1, CHECKPOINT_SAMPLES: 16}}
N_CF: *net
EXTRACT: {{NUM_CLIPS: 1, BATCH_SIZE: 8}}
CLUSTER: {{NUM_CLUSTERS: 2, NUM_ITERATIONS: 3}}
DATA: {{MAX_BAD_SHARE: 0.5}}
SYSTEM: {{THREADS: 1, DECODE_THREADS: 1, DEVICE: cpu}}
"""
STAGES = "pretrain,extract,cluster,assign"
main = runpy.run_path(str(ROOT / "tools/inspect_clusters.py"))["main"]


def _tags(folder: Path, suffix: str) -> None:
    lines = [json.dumps({"path": f"m{row}.{suffix}", "tags": [["spin", "<b>drop</b>"][row % 2]]}) for row in range(9)]
    (folder / "tags.jsonl").write_text("\n".join(lines) + "\n")


def _images(html: str, kind: str) -> list[Image.Image]:
    return [Image.open(BytesIO(b64decode(uri))) for uri in re.findall(rf"data:image/{kind};base64,([^\"]*)", html)]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    _tags(folder, "mp4")
    for row in range(9):
        write_video(folder / f"m{row}.mp4", Recipe(num_frames=20, size=(64, 48), first_number=100 * row))
    (folder / "c.yaml").write_text(CONFIG.format(folder=folder, modality="video", arch="r2plus1d"))
    assert run(VIDEO, files=[folder / "c.yaml"], overrides=[], stages=STAGES, dry_run=False, command="") == 0
    return folder


def test_a_page_of_videos_plays_the_middle_clip(videos: Path) -> None:
    assert main(["--cfg", str(videos / "c.yaml"), "--by", "purity"]) == 0
    html = (videos / "out/clusters-seed-0-n_cf.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;drop&lt;/b&gt;" in html
    assert f"--cfg {videos}/c.yaml --by purity" in html
    clips = _images(html, "webp")
    assert len(clips) == 9
    firsts = []
    for clip in clips:
        frames = []
        for number in range(clip.n_frames):
            clip.seek(number)
            frames.append(np.asarray(clip.convert("RGB")))
        numbers = numbers_of(np.stack(frames))
        assert [number - numbers[0] for number in numbers] == [0, 2, 4, 6]
        firsts.append(numbers[0])
    # A clip of 4 frames at stride 2 spans 7 of 20, so the middle one begins at frame 6.
    assert sorted(firsts) == [100 * row + 6 for row in range(9)]


def test_a_video_that_is_damaged_since_shows_why(videos: Path, tmp_path: Path) -> None:
    path = videos / "m3.mp4"
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    try:
        # Sizes are part of an index, so a file that shrank makes it another: the labels are no longer of this data.
        assert main(["--cfg", str(videos / "c.yaml"), "--out", str(tmp_path / "a.html")]) == 6
        path.write_bytes(b"\0" * len(whole))
        assert main(["--cfg", str(videos / "c.yaml"), "--out", str(tmp_path / "b.html")]) == 0
    finally:
        path.write_bytes(whole)
    html = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert html.count("not decodable") == 1
    assert re.search(r'm3.mp4</span>.*?<span class="cause">(undecodable|no_video): ', html)
    assert len(_images(html, "webp")) == 8


def test_a_page_of_images_shows_pictures(tmp_path: Path) -> None:
    _tags(tmp_path, "png")
    for row in range(9):
        pixels = np.random.default_rng(row).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"m{row}.png")
    (tmp_path / "c.yaml").write_text(CONFIG.format(folder=tmp_path, modality="image", arch="resnet"))
    assert run(IMAGE, files=[tmp_path / "c.yaml"], overrides=[], stages=STAGES, dry_run=False, command="") == 0
    assert main(["--cfg", str(tmp_path / "c.yaml"), "--num-clusters", "1", "SEEDS", "[0]"]) == 0
    html = (tmp_path / "out/clusters-seed-0-n_cf.html").read_text(encoding="utf-8")
    assert not _images(html, "webp")
    assert {image.size[1] for image in _images(html, "jpeg")} == {96}


@pytest.mark.parametrize(("words", "code"), [
    ([], 2), (["--cfg", "{cfg}", "--clusters", "a,b"], 2), (["--cfg", "{cfg}", "--clusters", "9"], 2),
    (["--cfg", "{cfg}", "D_PRE.PATH", "nothing.jsonl"], 3), (["--cfg", "{cfg}", "CLUSTER.NUM_CLUSTERS", "3"], 6)])
def test_exit_codes(videos: Path, words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word.format(cfg=videos / "c.yaml") for word in words]) == code
    assert capsys.readouterr().err.startswith("error: ")
