"""Targets of images: splits that lie on disk in different ways, and grids that a batch norm must know."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from cfimage.modality import IMAGE
from cfvideo.core.config import load_run_spec
from cfvideo.core.datasets import open_datasets
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.transfer import transfer_stages
from cfvideo.core.screen import Screen
from cfvideo.core.stage import Stage
from tests.cfimage.pictures import encoded, smooth

CONFIG = """
MODALITY: image
D_PRE: {{FORMAT: imagenet, PATH: {folder}/train}}
D_TAR:
  T: {{FORMAT: imagenet, TRAIN: {folder}/train}}
N_PRE: {{ARCH: resnet, WIDTHS: [8, 8, 8, 16], CLIP: {{SHORT_EDGE_PX: 32, CROP_PX: 32}}}}
PROBE: {{LAYERS: [res3.grid, res5.grid, res5], SOLVER: sgd}}
"""


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """train/CLASS/0.jpg of three classes; val/NUMBER.jpg, flat, with a list whose first image is of the last class."""
    picture = encoded(smooth(48, 36, 1.0), "JPEG", quality=90)
    (tmp_path / "val").mkdir()
    for number, name in enumerate("cba"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for file in (tmp_path / "train" / name / "0.jpg", tmp_path / "val" / f"{number}.jpg"):
            file.write_bytes(picture)
    (tmp_path / "val.txt").write_text("0.jpg,c\n1.jpg,b\n2.jpg,a\n")
    return tmp_path


def _context(folder: Path, *words: str) -> Context:
    (folder / "c.yaml").write_text(CONFIG.format(folder=folder))
    spec = load_run_spec([folder / "c.yaml"], words)
    return Context(spec, IMAGE, open_datasets(spec, IMAGE, Screen()), torch.device("cpu"))


def test_a_flat_test_split_with_a_list_is_read_in_the_training_splits_classes(flat: Path) -> None:
    """As ImageNet's validation images lie."""
    words = ["D_TAR.T.TEST", str(flat / "val.txt"), "D_TAR.T.TEST_FORMAT", "path_name"]
    data = _context(flat, *words, "D_TAR.T.TEST_ROOT", str(flat / "val")).data
    train, test = data.targets["T"]
    assert (data.missing, train.label_names, test.label_names) == ((), ("a", "b", "c"), ("a", "b", "c"))
    assert [int(test.labels_of(row)[0]) for row in range(3)] == [2, 1, 0]
    assert (test.num_missing, Path(test.root)) == (0, flat / "val")
    assert _context(flat, *words).data.targets["T"][1].num_missing == 3


def test_what_a_flat_folder_takes_is_said_where_it_is_given_as_one_of_class_folders(flat: Path) -> None:
    (said,) = _context(flat, "D_TAR.T.TEST", str(flat / "val")).data.missing
    assert "holds no class folders" in said
    assert "D_TAR.<NAME>.TEST_FORMAT" in said


def test_a_grids_batch_norm_is_told_its_cells(flat: Path) -> None:
    context = _context(flat, "D_TAR.T.TEST", str(flat / "train"))
    *_, probe = transfer_stages(context, 0, "n_pre", Stage("untrained", "seed 0", {}, {}, dict), "T")
    solver = cast("partial[Any]", probe.run).keywords["yardsticks"]["linear"].solver
    assert solver.num_cells == {"res3.grid": 16 * 16, "res5.grid": 4 * 4, "res5": 1}
