"""Files of all kinds, told apart by content; nested tensors by their path; nothing executed, nothing half read."""

from __future__ import annotations

import argparse
import hashlib
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.containers import read_checkpoint
from tests.core.foreign.test_pickled import Canary

STATE = OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=torch.tensor(3))
Write = Callable[[Any, Path], None]
TORCH: dict[str, Write] = {
    "zip": torch.save, "legacy": lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False)}


@pytest.mark.parametrize("write", TORCH.values(), ids=TORCH)
def test_a_training_scripts_checkpoint(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "odd.name"
    optimizer = {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
    write({"model": STATE, "optimizer": optimizer, "epoch": 3, "args": argparse.Namespace(lr=0.1, layers=[1, 2]),
           "heads": [{"w": torch.zeros(1)}]}, path)
    found = read_checkpoint(path)
    assert found.kind == "torch"
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(found.tensors) == ["model.a", "model.b", "optimizer.state.0.momentum_buffer", "heads.0.w"]
    assert torch.equal(found.tensors["model.a"], STATE["a"])


def test_parameters_come_as_plain_tensors(tmp_path: Path) -> None:
    torch.save({"w": torch.nn.Parameter(torch.ones(2))}, tmp_path / "w.pth")
    assert not read_checkpoint(tmp_path / "w.pth").tensors["w"].requires_grad


def test_safetensors_and_pickles(tmp_path: Path) -> None:
    save_file(dict(STATE), tmp_path / "s.pth")
    (tmp_path / "p.pth").write_bytes(pickle.dumps({"blobs": {"a": STATE["a"].numpy()}}, 2))
    for name, kind, key in (("s.pth", "safetensors", "a"), ("p.pth", "pickle", "blobs.a")):
        found = read_checkpoint(tmp_path / name)
        assert found.kind == kind
        assert torch.equal(found.tensors[key], STATE["a"])


@pytest.mark.parametrize("write", TORCH.values(), ids=TORCH)
def test_a_torch_file_with_code_is_refused_with_a_way_out_and_runs_nothing(tmp_path: Path, write: Write) -> None:
    canary, path = tmp_path / "canary", tmp_path / "evil.pt"
    write({"state_dict": STATE, "extra": Canary(canary)}, path)
    with pytest.raises(IntegrityError, match=r"evil\.pt: holds more than tensors.*\w+\.mkdir.*weights alone"):
        read_checkpoint(path)
    assert not canary.exists()


def damaged(whole: bytes) -> list[bytes]:
    rng = np.random.default_rng(2)
    cut = [whole[:int(length)] for length in np.linspace(0, len(whole) - 1, 40)]
    changed = []
    for _ in range(120):
        one = bytearray(whole)
        one[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        changed.append(bytes(one))
    return cut + changed


@pytest.mark.parametrize("kind", [*TORCH, "safetensors"])
def test_cut_and_changed_files_are_refused_or_read_never_worse(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "damaged"
    if kind == "safetensors":
        save_file(dict(STATE), path)
    else:
        TORCH[kind]({"state_dict": STATE, "epoch": 1}, path)
    for number, content in enumerate(damaged(path.read_bytes())):
        path.write_bytes(content)
        try:
            read_checkpoint(path)
        except IntegrityError as error:
            assert "damaged" in str(error)
        else:
            assert number >= 40, "a cut file was read"


def test_containers_that_hold_themselves_or_each_other(tmp_path: Path) -> None:
    loop: dict[str, Any] = {"w": torch.ones(1)}
    loop["self"] = loop
    shared: list[Any] = [torch.ones(1)]
    for _ in range(40):
        shared = [shared] * 10
    torch.save({"loop": loop, "shared": shared}, tmp_path / "loop.pth")
    assert list(read_checkpoint(tmp_path / "loop.pth").tensors) == ["loop.w"]


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    cases: dict[str, tuple[bytes | None, str]] = {
        "missing": (None, "no such file"), "text": (b"hello world, here I am", "neither a torch file nor"),
        "empty": (b"", "neither a torch file nor"), "page": (b"<!DOCTYPE html><html>", "neither a torch file nor"),
        "numbers": (pickle.dumps({"epoch": 3}, 2), "holds no tensors")}
    for name, (content, why) in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(IntegrityError, match=rf"{name}: {why}"):
            read_checkpoint(tmp_path / name)


def test_a_folder_of_a_distributed_checkpoint_is_not_opened(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "dcp").mkdir()
    (tmp_path / "dcp" / ".metadata").write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(IntegrityError, match="a folder; name the one file"):
        read_checkpoint(tmp_path / "dcp")
    assert not canary.exists()


def test_names_that_would_hide_each_other_are_refused(tmp_path: Path) -> None:
    torch.save({"a.b": torch.zeros(1), "a": {"b": torch.ones(1)}}, tmp_path / "twice.pth")
    with pytest.raises(IntegrityError, match=r"two tensors by the name a\.b"):
        read_checkpoint(tmp_path / "twice.pth")
