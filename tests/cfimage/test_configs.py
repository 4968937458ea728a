"""The configs of images: what they cost at the paper's scale; the small ones run, in shape and on real pictures."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cfimage.modality import IMAGE
from cfvideo.core.cli import run
from cfvideo.core.config import load_run_spec
from cfvideo.core.errors import DataError
from tests.cfimage.pictures import encoded, smooth
from tests.source_tree import ROOT

CONFIGS = ROOT / "configs"
PAPERS = ("ig_imagenet_1b.yaml", "imagenet_noise.yaml", "jigsaw.yaml", "jigsaw_rotnet.yaml", "rotnet.yaml")
SPLITS = ("d_pre", "train", "test")
UNPACKED = ROOT / "data" / "cifar10"
ARCHIVE = ROOT.parent / "shared" / "data" / "cifar10_jpeg_25k.tar.gz"
TINY = ("SEEDS", "[0]", "N_PRE.SOLVER.MAX_SAMPLES", "64", "N_CF.SOLVER.MAX_SAMPLES", "64", "CLUSTER.NUM_CLUSTERS", "4",
        "PROBE.SGD.EPOCHS", "1")
ON_REAL = ("SEEDS", "[0]", "N_PRE.SOLVER.MAX_SAMPLES", "6400", "N_CF.SOLVER.MAX_SAMPLES", "6400", "PROBE.SGD.EPOCHS",
           "1")
NETWORKS = {"noise.yaml": {"untrained", "n_pre", "n_pre_2x", "distillation", "n_cf"},
            "rotnet.yaml": {"untrained", "n_pre", "n_cf"}}


@pytest.mark.parametrize("name", PAPERS)
def test_the_cost_in_the_header_is_what_the_dry_run_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    """Each data set counts, though none is here."""
    monkeypatch.setenv("COLUMNS", "200")
    code = run(IMAGE, files=[CONFIGS / name], overrides=["OUTPUT_DIR", str(tmp_path / "out"), "SYSTEM.DEVICE", "cpu"],
               stages="", dry_run=True, command="test")
    said = capsys.readouterr().out
    assert code == DataError.exit_code
    assert not (tmp_path / "out").exists()
    total = next(line for line in said.splitlines() if "to do" in line)
    flops, _, written = (cell.strip() for cell in total.strip().strip("│").split("│")[-3:])
    text = (CONFIGS / name).read_text(encoding="utf-8")
    header = text[:text.index("\n\n")]
    assert re.search(rf"# Cost +computed by --dry-run.*:\n# +{re.escape(flops)} ", header), total
    assert f"Written: {written}," in header
    (hours,) = re.findall(r"^To do: (.* hours of one GPU) that", said, re.MULTILINE)
    assert f"{hours} that" in header


def go(name: str, data: Path, out: Path, *overrides: str) -> dict[str, Mapping[str, Any]]:
    """Run a small config on `data`; the facts of its probes by network."""
    words = ["OUTPUT_DIR", str(out), "SYSTEM.DEVICE", "cpu", "D_PRE.PATH", str(data / "d_pre"),
             "D_TAR.CIFAR10.TRAIN", str(data / "train"), "D_TAR.CIFAR10.TEST", str(data / "test"), *overrides]
    assert run(IMAGE, files=[CONFIGS / "small" / name], overrides=words, stages="", dry_run=False, command="test") == 0
    assert "CIFAR-10" in (out / "report.html").read_text(encoding="utf-8")
    manifests = [json.loads(file.read_text()) for file in (out / "stages" / "probe").glob("*/manifest.json")]
    return {manifest["role"].split()[2]: manifest["facts"] for manifest in manifests}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of eight 32-pixel JPEGs in each of the folders that the configs name."""
    root = tmp_path_factory.mktemp("cifar10")
    for start, split in enumerate(SPLITS):
        for label in range(3):
            for number in range(8):
                file = root / split / f"class{label}" / f"{start}{number:03d}.jpg"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(encoded(smooth(32, 32, 2.0 * label + 0.3 * start + 0.05 * number), "JPEG"))
    return root


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_small_configs_run_in_shape(name: str, made: Path, tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="k-means searches with FAISS: pip install faiss-cpu")
    more = ("D_PRE.LABELS.MAX_ROWS", "20") if name == "noise.yaml" else ()
    probes = go(name, made, tmp_path / "out", *TINY, *more)
    assert probes.keys() == NETWORKS[name]
    for facts in probes.values():
        assert facts["num_test_rows"] == 24
        assert set(facts["results"]["linear"]) == set(load_run_spec([CONFIGS / "small" / name]).probe.layers)


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/cifar10 where it is; else what the README's two lines make of the archive."""
    if UNPACKED.is_dir():
        return UNPACKED
    if not ARCHIVE.exists():
        pytest.skip(f"CIFAR-10's JPEGs are neither at {UNPACKED} nor at {ARCHIVE}")
    folder = tmp_path_factory.mktemp("unpacked")
    shutil.copy(ARCHIVE, folder)
    commands = re.findall(r"```bash\n(.*?)```", (CONFIGS / "small/README.md").read_text(encoding="utf-8"), re.DOTALL)
    unpack = next(command for command in commands if "tar xzf" in command)
    subprocess.run(["bash", "-ec", unpack], cwd=folder, check=True)
    return folder / "data" / "cifar10"


@pytest.mark.slow
@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_small_configs_run_on_real_pictures(name: str, cifar: Path, tmp_path: Path) -> None:
    """Splits of 500 images a class that share no file, and probes far above chance (0.1)."""
    pytest.importorskip("faiss", reason="k-means searches with FAISS: pip install faiss-cpu")
    files = {split: {file.relative_to(cifar / split) for file in (cifar / split).rglob("*.jpg")} for split in SPLITS}
    assert [len(found) for found in files.values()] == [5000, 5000, 5000]
    assert len(set.union(*files.values())) == 15_000
    probes = go(name, cifar, tmp_path / "out", *ON_REAL, "BASELINES", "[]", "D_PRE.LABELS.NOISE", "0.0")
    assert probes.keys() == {"untrained", "n_pre", "n_cf"}
    assert all(facts["top1"] > 0.2 for facts in probes.values())
