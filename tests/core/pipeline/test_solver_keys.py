"""What stands in a training's fingerprint for the parts of its steps, and parts that no batch norm can take."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cfvideo.core.config import load_run_spec
from cfvideo.core.datasets import open_datasets
from cfvideo.core.errors import ConfigError
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.solver_keys import solver_keys
from cfvideo.core.screen import Screen
from cfvideo.modality import VIDEO
from tests.toy_modality import TOY

CONFIG = """
D_PRE: {PATH: "60"}
N_PRE: {ARCH: r2plus1d, BLOCKS: [1, 1, 1, 1], WIDTHS: [4, 4, 4, 4], CLIP: {NUM_FRAMES: 8, CROP_PX: 16},
        SOLVER: {MAX_SAMPLES: 100, BATCH_SIZE: 24}}
"""
MICRO = "N_PRE.SOLVER.MICRO_BATCH_SIZE"


def keys_of(folder: Path, **changes: object) -> dict[str, object]:
    """The keys of N_pre's training, a toy network's, with other keys of its SOLVER. factor: so many times as long."""
    factor = int(changes.pop("factor", 1))
    return _keys(folder, TOY, factor, [word for key, value in changes.items()
                                       for word in (f"N_PRE.SOLVER.{key}", str(value))])


def _keys(folder: Path, modality: object, factor: int, words: list[str]) -> dict[str, object]:
    path = folder / f"config-{os.getpid()}.yaml"  # several processes do this at once
    path.write_text(CONFIG)
    spec = load_run_spec([path], words)
    context = Context(spec, modality, open_datasets(spec, TOY, Screen()), torch.device("cpu"))
    return solver_keys(context, "n_pre", spec.n_pre.solver, "N_PRE.SOLVER", factor)


@pytest.mark.parametrize(("changes", "expected"), [
    ({}, [24, 4]),
    ({"MICRO_BATCH_SIZE": 24}, [24, 4]),  # the same parts
    ({"MICRO_BATCH_SIZE": 7}, [6, 4]),
    ({"MICRO_BATCH_SIZE": 6}, [6, 4]),
    ({"MICRO_BATCH_SIZE": 3}, [3, 2]),
    ({"MAX_SAMPLES": 96}, [24]),
    ({"MAX_SAMPLES": 30, "factor": 2}, [24, 12]),
    ({"SYNC_BATCH_NORM": True}, [24, 4])])
def test_the_largest_parts_stand_for_how_steps_are_cut(tmp_path: Path, changes: dict[str, object], expected: list[int],
                                                       ) -> None:
    assert keys_of(tmp_path, **changes)[MICRO] == expected


@pytest.mark.parametrize(("changes", "said"), [
    ({"MICRO_BATCH_SIZE": 1}, r"BATCH_SIZE 24 in parts of N_PRE\.SOLVER\.MICRO_BATCH_SIZE 1 leaves a single sample to "
                              r"a batch norm of N_PRE .*: set N_PRE\.SOLVER\.MICRO_BATCH_SIZE to 3 or more.*N_PRE"),
    ({"MICRO_BATCH_SIZE": 2, "BATCH_SIZE": 9}, r"or to 2 where N_PRE\.SOLVER\.BATCH_SIZE is even"),
    ({"BATCH_SIZE": 1}, r"BATCH_SIZE 1 at once .*: set N_PRE\.SOLVER\.BATCH_SIZE to an even number from 2 on")])
def test_single_samples_of_one_pixel_are_refused_with_the_way_out(tmp_path: Path, changes: dict[str, object], said: str,
                                                                  ) -> None:
    with pytest.raises(ConfigError, match=said):
        keys_of(tmp_path, **changes)


@pytest.mark.parametrize(("imported", "ends"), [
    (None, "from 2 on; or make N_PRE.CLIP larger"), (SimpleNamespace(architecture={}, view={}), "from 2 on")])
def test_only_a_network_with_a_clip_of_its_own_can_make_it_larger(
        imported: object, ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Context, "imported", lambda *_: imported)
    monkeypatch.setattr(Context, "fewest_items", lambda *_, **__: 2)
    with pytest.raises(ConfigError) as caught:
        keys_of(tmp_path, BATCH_SIZE=1)
    assert str(caught.value).endswith(ends)


def test_single_samples_are_taken_where_maps_are_larger(tmp_path: Path) -> None:
    """res5 of 16 frames of 16 x 16 pixels is 2 x 1 x 1, of 8 frames 1 x 1 x 1."""
    words = ["N_PRE.SOLVER.MICRO_BATCH_SIZE", "1", "N_PRE.CLIP.NUM_FRAMES"]
    assert _keys(tmp_path, VIDEO, 1, [*words, "16"])[MICRO] == [1, 1]
    with pytest.raises(ConfigError, match="map has one pixel"):
        _keys(tmp_path, VIDEO, 1, [*words, "8"])
