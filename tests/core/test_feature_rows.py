"""Rows of features in any order: the same numbers as in one matrix, without the matrix."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from cfvideo.core.errors import IntegrityError
from cfvideo.core.feature_rows import FeatureRows
from cfvideo.core.features import FeatureStore
from cfvideo.core.training.objectives import RegressionObjective
from tests.core.training.networks import NUM_ROWS, budget, network, train, trainer

MIB = 1 << 20


def _store(folder: Path, matrix: np.ndarray, shard_rows: int, bad: tuple[int, ...] = ()) -> FeatureStore:
    folder.mkdir(exist_ok=True)
    store = FeatureStore(folder, num_rows=len(matrix), shard_rows=shard_rows, layers=("res5",), identity={"index": "a"})
    for start, stop in store.shards():
        failed = {row: ("undecodable", "made") for row in bad if start <= row < stop}
        store.write((start, stop), {"res5": matrix[start:stop]}, failed)
    return FeatureStore.open(folder)


def _matrix(num_rows: int, dim: int) -> np.ndarray:
    """Numbers that float16 has."""
    drawn = np.random.default_rng(3).normal(size=(num_rows, dim))
    return drawn.astype(np.float16).astype(np.float32)


def test_rows_in_any_order_and_twice_are_those_of_the_matrix(tmp_path: Path) -> None:
    matrix = _matrix(10, 3)
    rows = FeatureRows(_store(tmp_path, matrix, 4, bad=(5,)))
    wanted = np.array([9, 0, 7, 7, 3, 4, 8])
    found = rows(wanted)
    assert found.dtype == np.float32
    assert np.array_equal(found, matrix[wanted])
    assert rows(wanted[:0]).shape == (0, 3)
    assert rows.feature_shape == (3,)
    assert np.flatnonzero(~rows.valid).tolist() == [5]


def test_a_network_that_regresses_them_gets_the_weights_that_a_matrix_gives(tmp_path: Path) -> None:
    matrix, weights = _matrix(NUM_ROWS, 5), []
    rows = FeatureRows(_store(tmp_path / "store", matrix, 7))
    for name, feature_of in (("mapped", rows), ("held", lambda wanted: matrix[wanted])):
        net = network(outputs=5)
        objective = RegressionObjective(feature_of, rows=np.flatnonzero(rows.valid), feature_dim=5)
        train(trainer(tmp_path / name, net=net, plan=budget(), objective=objective))
        weights.append(net.state_dict())
    for key, value in weights[0].items():
        assert torch.equal(value, weights[1][key]), key


def test_of_64_mib_none_stay_in_memory(tmp_path: Path) -> None:
    """Pages of files do not count: they are the kernel's to drop."""
    matrix = _matrix(4096, 256)
    num_rows = 32 * len(matrix)
    store = FeatureStore(tmp_path, num_rows=num_rows, shard_rows=len(matrix), layers=("res5",), identity={})
    for shard in store.shards():
        store.write(shard, {"res5": matrix}, {})
    before = _private_bytes()
    rows = FeatureRows(FeatureStore.open(tmp_path))
    drawn, most = np.random.default_rng(0), 0
    for _ in range(100):
        wanted = drawn.integers(num_rows, size=64)
        assert np.array_equal(rows(wanted), matrix[wanted % len(matrix)])
        most = max(most, _private_bytes() - before)
    assert most < 16 * MIB


def _private_bytes() -> int:
    """Memory of this process that no file stands behind."""
    found = re.search(r"^RssAnon:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) << 10


def test_a_damaged_shard_is_found_before_any_row_is_used(tmp_path: Path) -> None:
    store = _store(tmp_path, _matrix(10, 3), 4)
    path = store.path((8, 10))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError):
        FeatureRows(store)
