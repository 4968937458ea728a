"""An imported network is the one that was planned with, or none."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest
import torch

from cfvideo.core.errors import IntegrityError
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.network_file import FILE_NAME, save_network
from cfvideo.core.pipeline.imported import imported
from cfvideo.core.screen import Screen
from cfvideo.core.stage import Artefact, Stage
from cfvideo.core.stages.train import run_imported
from cfvideo.core.store import Store, run_stage
from tests.toy_modality import HEADER, NUM_CLASSES, ToyNetwork


def _published(folder: Path, seed: int) -> bytes:
    network = ToyNetwork(NUM_CLASSES)
    network.initialise(torch.Generator().manual_seed(seed))
    save_network(folder, network, num_classes=NUM_CLASSES, **HEADER)
    return (folder / FILE_NAME).read_bytes()


def _made(stage: Stage, folder: Path) -> Artefact:
    return run_stage(stage, Store(folder), screen=Screen(), stop=StopRequest(), clock=time.monotonic, versions={})


def test_a_network_published_anew_after_planning_does_not_take_the_place_of_the_planned(tmp_path: Path) -> None:
    planned = _published(tmp_path, 0)
    given = imported(str(tmp_path), "N_PRE.WEIGHTS")
    stage = Stage("pretrain", "seed 0: n_pre, imported", {"weights": given.digest}, {},
                  partial(run_imported, source=given.path, digest=given.digest))
    assert _published(tmp_path, 1) != planned
    for _ in range(2):
        with pytest.raises(IntegrityError, match="weights.safetensors: changed since this run was planned"):
            _made(stage, tmp_path / "out")
    assert Store(tmp_path / "out").find(stage) is None
    _published(tmp_path, 0)
    assert _made(stage, tmp_path / "out").file(FILE_NAME).read_bytes() == planned
