"""The feature store: rows stay where they are, damage is found, bad rows are marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cfvideo.core.errors import IntegrityError
from cfvideo.core.features import FeatureStore


def _store(folder: Path) -> FeatureStore:
    return FeatureStore(folder, num_rows=10, shard_rows=4, identity={"index": "abc"})


def _write_all(store: FeatureStore) -> np.ndarray:
    features = np.arange(30, dtype=np.float32).reshape(10, 3)
    for start, stop in store.missing():
        store.write(start, stop, features[start:stop], {})
    return features


def test_rows_come_back_in_place_and_missing_shrinks(tmp_path: Path) -> None:
    store = _store(tmp_path)
    assert store.missing() == [(0, 4), (4, 8), (8, 10)]
    store.write(4, 8, np.full((4, 3), 7, np.float32), {})
    assert store.missing() == [(0, 4), (8, 10)]
    (tmp_path / "rows-000000000004-000000000008.safetensors").unlink()
    features = _write_all(store)
    read, valid = FeatureStore.open(tmp_path).read_all()
    assert np.array_equal(read, features)
    assert valid.all()


def test_nan_inf_overflow_and_undecodable_rows_are_invalid_zeros(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, num_rows=5, shard_rows=5, identity={})
    features = np.ones((5, 2), np.float32)
    features[0, 0], features[1, 1], features[2, 0] = np.nan, np.inf, 1e6  # 1e6 is Inf in float16
    store.write(0, 5, features, {3: ("undecodable", "cut short")})
    read, valid = store.read_all()
    assert valid.tolist() == [False, False, False, False, True]
    assert not read[:4].any()
    failures = store.failures()
    assert failures.pop(3) == ("undecodable", "cut short")
    assert {row: status for row, (status, _) in failures.items()} == dict.fromkeys((0, 1, 2), "nonfinite")


def test_damage_and_foreign_shards_are_refused(tmp_path: Path) -> None:
    store = _store(tmp_path)
    _write_all(store)
    shard = tmp_path / "rows-000000000004-000000000008.safetensors"
    good = shard.read_bytes()
    shard.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(IntegrityError, match="checksum"):
        list(store.blocks())
    FeatureStore(tmp_path, num_rows=10, shard_rows=4, identity={"index": "other"}).write(
        4, 8, np.zeros((4, 3), np.float32), {})
    with pytest.raises(IntegrityError, match="belongs to other features"):
        list(store.blocks())


def test_an_empty_folder_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="no feature shard"):
        FeatureStore.open(tmp_path)


def test_rows_are_counted_by_what_decoded_them(tmp_path: Path) -> None:
    store, ones = _store(tmp_path), np.ones((4, 3), np.float32)
    store.write(0, 4, ones, {1: ("missing", "no file")}, {"pyav": 2, "decord": 1})
    store.write(4, 8, ones, {}, {"pyav": 4})
    assert store.decoders() == {"decord": 1, "pyav": 6}
