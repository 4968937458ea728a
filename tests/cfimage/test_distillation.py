"""Distillation from a network that was trained with another mean and deviation than its student is fed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cfimage.batches import IMAGENET
from cfimage.modality import IMAGE
from cfvideo.core.cli import run
from cfvideo.core.network_file import FILE_NAME, write_network
from cfvideo.core.tensors import load_tensors
from tests.cfimage.pictures import encoded, smooth
from tests.cfimage.test_pipeline import CONFIG

pytest.importorskip("faiss", reason="k-means searches with FAISS: pip install faiss-cpu")


def _go(folder: Path, out: str, *overrides: str) -> tuple[dict[str, torch.Tensor], Path]:
    """Weights of the distilled network, and the file of its teacher."""
    config = folder / f"{out}.yaml"
    config.write_text(CONFIG.format(out=folder / out, data=folder))
    assert run(IMAGE, files=[config], overrides=["BASELINES", "[distillation]", "N_PRE.SOLVER.MAX_SAMPLES", "64",
                                                 "N_CF.SOLVER.MAX_SAMPLES", "64", *overrides],
               stages="pretrain,train_cf,extract,cluster,assign", dry_run=False, command="test") == 0
    found = [load_tensors(path)[0] for path in (folder / out / "stages/train_cf").glob(f"*/{FILE_NAME}")]
    (distilled,) = (one for one in found if len(one["fc.weight"]) == 3)  # N_cf has 6 clusters
    (teacher,) = (folder / out / "stages/pretrain").glob(f"*/{FILE_NAME}")
    return distilled, teacher


def test_a_teacher_is_fed_with_its_own_mean_and_deviation(tmp_path: Path) -> None:
    """Twins, of which one takes levels over twice the deviation: the same student, to the last bit."""
    for label in range(3):
        for split, count in (("train", 8), ("val", 2)):
            for number in range(count):
                file = tmp_path / split / f"class {label}" / f"{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(encoded(smooth(40, 36 + number, 2.0 * label + 0.1 * number), "PNG"))
    student, teacher = _go(tmp_path, "first")
    state, header = load_tensors(teacher)
    view: dict[str, Any] = {**header["view"], "mean": IMAGENET.mean, "std": [2 * value for value in IMAGENET.std]}
    write_network(tmp_path / "twin.safetensors", {**state, "conv1.weight": 2 * state["conv1.weight"]}, view=view,
                  architecture=header["architecture"], num_classes=3)
    of_twin, _ = _go(tmp_path, "second", "N_PRE.WEIGHTS", str(tmp_path / "twin.safetensors"))
    assert all(torch.equal(value, of_twin[name]) for name, value in student.items())
