"""tools/evaluate.py on images: D_TAR.TEST says how the features to judge are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from cfimage.modality import IMAGE, build_network
from cfvideo.core.features import FeatureStore
from cfvideo.core.network_file import load_network, save_network
from tests.cfimage.pictures import encoded, smooth
from tests.toy_extraction import all_rows
from tools.evaluate import main

ARCHITECTURE = {"arch": "resnet", "blocks": [1, 1, 1, 1], "widths": [8, 8, 8, 16]}
VIEW = {"num_frames": 1, "frame_stride": 1, "short_edge_px": 32, "crop_px": 32, "mean": [0.5] * 3, "std": [0.25] * 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two classes in two splits, wide ones, and a network."""
    folder = tmp_path_factory.mktemp("images")
    for split, count in (("train", 6), ("test", 4)):
        for label in range(2):
            (folder / split / f"class {label}").mkdir(parents=True)
            for number in range(count):
                picture = encoded(smooth(90, 40 + number, 2.0 * label + 0.1 * number))
                (folder / split / f"class {label}" / f"{number}.png").write_bytes(picture)
    network = build_network(num_classes=2, **ARCHITECTURE)
    network.initialise(torch.Generator().manual_seed(1))
    save_network(folder, network, architecture=ARCHITECTURE, num_classes=2, view=VIEW)
    return folder


def judged(folder: Path, out: Path, *overrides: str, modality: str = "image") -> int:
    return main(["--modality", modality, "--weights", str(folder / "weights.safetensors"), "--out", str(out), "--train",
                 f"imagenet:{folder}/train", "--test", f"imagenet:{folder}/test", "SYSTEM.DEVICE", "cpu",
                 "SYSTEM.THREADS", "1", "PROBE.STRENGTHS", "[1.0]", *overrides])


def features(out: Path, num_rows: int) -> NDArray[np.float32]:
    """Those of the split with so many rows."""
    stores = [FeatureStore.open(file.parent) for file in out.glob("stages/extract/**/rows-000000000000-*")]
    return next(data for data, _ in (all_rows(store) for store in stores) if len(data) == num_rows)


def test_features_are_of_squeezed_pictures(folder: Path, tmp_path: Path) -> None:
    assert judged(folder, tmp_path, "D_TAR.TEST.SQUEEZE", "true") == 0
    network, expected = load_network(folder / "weights.safetensors", IMAGE).eval(), []
    for file in sorted((folder / "test").rglob("*.png")):
        with Image.open(file) as image:
            squeezed = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR), np.float32)
        with torch.no_grad():
            batch = torch.from_numpy((squeezed / 255 - 0.5) / 0.25).permute(2, 0, 1)[None]
            expected.append(network.features(batch)[0].numpy())
    np.testing.assert_allclose(features(tmp_path, 8), np.stack(expected), rtol=2e-3, atol=2e-3)


def test_videos_are_not_squeezed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged(folder, tmp_path, "D_TAR.TEST.SQUEEZE", "true", modality="video") == 2
    assert "D_TAR.TEST.SQUEEZE: a protocol of images" in capsys.readouterr().err
