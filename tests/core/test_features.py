"""The feature store: rows stay where they are, damage is found, bad rows are marked, reading streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cfvideo.core import feature_shard
from cfvideo.core.errors import IntegrityError
from cfvideo.core.feature_shard import STATUS, STATUS_BYTES
from cfvideo.core.features import FeatureStore
from cfvideo.core.row_status import UNREADABLE
from cfvideo.core.tensors import load_header, load_tensors, save_tensors
from tests.toy_extraction import all_rows

DAMAGED = "rows-000000000004-000000000008.safetensors"


def _store(folder: Path, index: str = "abc") -> FeatureStore:
    return FeatureStore(folder, num_rows=10, shard_rows=4, layers=("res5",), identity={"index": index})


def _write_all(store: FeatureStore) -> np.ndarray:
    features = np.arange(30, dtype=np.float32).reshape(10, 3)
    for start, stop in store.missing():
        store.write((start, stop), {"res5": features[start:stop]}, {})
    return features


def test_rows_come_back_in_place_and_missing_shrinks(tmp_path: Path) -> None:
    store = _store(tmp_path)
    assert store.missing() == [(0, 4), (4, 8), (8, 10)]
    store.write((4, 8), {"res5": np.full((4, 3), 7, np.float32)}, {})
    assert store.missing() == [(0, 4), (8, 10)]
    (tmp_path / DAMAGED).unlink()
    features = _write_all(store)
    read, valid = all_rows(FeatureStore.open(tmp_path))
    assert np.array_equal(read, features)
    assert valid.all()


def test_layers_of_several_lengths_and_kept_views_come_back(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, num_rows=5, shard_rows=3, layers=("res4", "res5"), identity={})
    given = {"res4": np.arange(20, dtype=np.float32).reshape(5, 2, 2),
             "res5": np.arange(30, dtype=np.float32).reshape(5, 2, 3)}
    for start, stop in store.shards():
        store.write((start, stop), {layer: values[start:stop] for layer, values in given.items()}, {})
    read = FeatureStore.open(tmp_path)
    assert read.dims() == {"res4": 2, "res5": 3}
    for layer in ("res4", "res5"):
        assert np.array_equal(all_rows(read, layer)[0], given[layer])
    assert np.array_equal(all_rows(read)[0], given["res4"])  # the first, where none is named


@pytest.mark.parametrize(("start", "stop", "rows_per_block", "expected"), [
    (0, None, None, [(0, 4), (4, 8), (8, 10)]),
    (0, None, 3, [(0, 3), (3, 4), (4, 7), (7, 8), (8, 10)]),
    (5, 9, None, [(5, 8), (8, 9)]),
    (5, 9, 2, [(5, 7), (7, 8), (8, 9)]),
    (0, 4, 100, [(0, 4)]),
    (4, 4, None, []),
])
def test_blocks_are_parts_of_shards_in_order(tmp_path: Path, start: int, stop: int | None, rows_per_block: int | None,
                                             expected: list[tuple[int, int]]) -> None:
    store = _store(tmp_path)
    features = _write_all(store)
    blocks = list(store.blocks(start=start, stop=stop, rows_per_block=rows_per_block))
    assert [(block.start, block.start + len(block.features)) for block in blocks] == expected
    for block in blocks:
        assert np.array_equal(block.features, features[block.start:block.start + len(block.features)])
        assert len(block.valid) == len(block.features)


def test_a_part_of_the_rows_needs_only_its_shards(tmp_path: Path) -> None:
    store = _store(tmp_path)
    _write_all(store)
    (tmp_path / DAMAGED).write_bytes(b"")
    assert [block.start for block in store.blocks(start=8)] == [8]


def test_nan_inf_overflow_and_undecodable_rows_are_invalid_zeros(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, num_rows=6, shard_rows=6, layers=("a", "b"), identity={})
    features = {"a": np.ones((6, 2), np.float32), "b": np.ones((6, 2, 3), np.float32)}
    features["a"][0, 0], features["b"][1, 1, 2], features["a"][2, 0] = np.nan, np.inf, 1e6  # 1e6 is Inf in float16
    recorded = store.write((0, 6), features, {3: ("missing", "no file"), 4: ("odd", "?")})
    for layer in ("a", "b"):
        read, valid = all_rows(store, layer)
        assert valid.tolist() == [False, False, False, False, False, True]
        assert not read[:5].any()
        assert read[5].all()
    assert store.failures() == recorded
    assert {row: status for row, (status, _) in recorded.items()} == {
        0: "nonfinite", 1: "nonfinite", 2: "nonfinite", 3: "missing", 4: "odd"}
    status = load_tensors(store.path((0, 6)))[0][STATUS].tolist()
    assert status == [STATUS_BYTES[word] for word in ["nonfinite"] * 3 + ["missing", "undecodable", "ok"]]


def test_every_known_status_has_a_byte_of_its_own() -> None:
    assert set(UNREADABLE) < set(STATUS_BYTES)
    assert len(set(STATUS_BYTES.values())) == len(STATUS_BYTES)


@pytest.mark.parametrize("place", [-1, 20, 0.5, 0.9])
def test_a_flipped_bit_anywhere_is_found(tmp_path: Path, place: float) -> None:
    _write_all(_store(tmp_path))
    content = bytearray((tmp_path / DAMAGED).read_bytes())
    content[int(place * len(content)) if 0 < place < 1 else int(place)] ^= 1
    (tmp_path / DAMAGED).write_bytes(content)
    with pytest.raises(IntegrityError, match=DAMAGED):
        list(_store(tmp_path).blocks())
    assert _store(tmp_path).unusable(tmp_path / DAMAGED) == "damaged"


@pytest.mark.parametrize("left", [0, 5, 100, -1])
def test_a_cut_shard_is_found(tmp_path: Path, left: int) -> None:
    _write_all(_store(tmp_path))
    (tmp_path / DAMAGED).write_bytes((tmp_path / DAMAGED).read_bytes()[:left])
    with pytest.raises(IntegrityError, match=f"{DAMAGED}: cannot be read"):
        list(_store(tmp_path).blocks())
    (tmp_path / DAMAGED).unlink()
    with pytest.raises(IntegrityError, match=f"{DAMAGED}: cannot be read"):
        list(_store(tmp_path).blocks())


def test_a_shard_that_vouches_for_nan_or_for_floats_is_refused(tmp_path: Path) -> None:
    _write_all(_store(tmp_path))
    path, status = tmp_path / DAMAGED, torch.zeros(4, dtype=torch.uint8)
    for wrong in (torch.full((4, 3), torch.nan).half(), torch.full((4, 3), -torch.inf).half(), torch.zeros(4, 3)):
        save_tensors(path, {"res5": wrong, STATUS: status}, load_header(path))
        with pytest.raises(IntegrityError, match="layer res5 holds NaN, Inf or no float16; delete"):
            list(_store(tmp_path).blocks())
    largest = torch.tensor([65504.0, -65504.0, 6e-8]).half().expand(4, 3)
    save_tensors(path, {"res5": largest, STATUS: status}, load_header(path))
    assert len(list(_store(tmp_path).blocks())) == 3


def test_a_shard_is_verified_once_and_again_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_all(_store(tmp_path))
    verified: list[str] = []
    monkeypatch.setattr(feature_shard, "load_tensors", lambda path: (verified.append(path.name), load_tensors(path))[1])
    for _ in range(3):
        list(_store(tmp_path).blocks(rows_per_block=1))
    assert verified == [_store(tmp_path).path(shard).name for shard in _store(tmp_path).shards()]
    (tmp_path / "copy").write_bytes((tmp_path / DAMAGED).read_bytes())
    (tmp_path / "copy").rename(tmp_path / DAMAGED)
    list(_store(tmp_path).blocks())
    assert verified[3:] == [DAMAGED]


def test_features_of_another_index_or_network_are_refused(tmp_path: Path) -> None:
    _write_all(_store(tmp_path))
    assert FeatureStore.open(tmp_path, index_hash="abc").num_rows == 10
    with pytest.raises(IntegrityError, match=r"features of index abc, but the data is now index other;.* extract"):
        FeatureStore.open(tmp_path, index_hash="other")
    _store(tmp_path, "other").write((4, 8), {"res5": np.zeros((4, 3), np.float32)}, {})
    with pytest.raises(IntegrityError, match="belongs to other features"):
        list(_store(tmp_path).blocks())


def test_an_empty_folder_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="no feature shard"):
        FeatureStore.open(tmp_path)


def test_rows_are_counted_by_what_decoded_them(tmp_path: Path) -> None:
    store, ones = _store(tmp_path), {"res5": np.ones((4, 3), np.float32)}
    store.write((0, 4), ones, {1: ("missing", "no file")}, {"pyav": 2, "decord": 1})
    store.write((4, 8), ones, {}, {"pyav": 4})
    assert store.decoders() == {"decord": 1, "pyav": 6}
    assert store.failures([(4, 8), (8, 10)]) == {}
