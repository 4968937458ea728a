"""Checksummed tensor files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from cfvideo.core.errors import IntegrityError
from cfvideo.core.tensors import load_header, load_tensors, save_tensors


def _sample() -> dict[str, torch.Tensor]:
    return {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor([1, 2], dtype=torch.int32),
            "scalar": torch.tensor(7)}


def test_round_trip_and_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_tensors(tmp_path / name, _sample(), {"z": 1, "a": [1, 2]})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    tensors, header = load_tensors(tmp_path / "one")
    assert header == load_header(tmp_path / "one") == {"z": 1, "a": [1, 2]}
    assert all(torch.equal(tensors[name], value) for name, value in _sample().items())


def test_a_flipped_bit_anywhere_in_the_data_is_found(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_tensors(path, _sample())
    whole = path.read_bytes()
    data_start = 8 + int.from_bytes(whole[:8], "little")
    for position in range(data_start, len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(IntegrityError):
            load_tensors(path)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "1" * 5000])
def test_numbers_in_the_header_that_are_none_are_refused(tmp_path: Path, number: str) -> None:
    entry = f'{{"header":{{"a":{number}}},"sha256":"0"}}'
    (tmp_path / "file").write_bytes(save(_sample(), metadata={"header": entry}))
    for load in (load_tensors, load_header):
        with pytest.raises(IntegrityError, match="cannot be read"):
            load(tmp_path / "file")


def test_a_cut_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_tensors(path, _sample())
    whole = path.read_bytes()
    for length in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(IntegrityError):
            load_tensors(path)


def test_foreign_and_missing_files_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(_sample(), tmp_path / "foreign")
    for name in ("foreign", "missing"):
        with pytest.raises(IntegrityError, match="cannot be read"):
            load_tensors(tmp_path / name)
