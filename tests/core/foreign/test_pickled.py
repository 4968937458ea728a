"""Pickles of arrays are read; pickles of anything else are refused, and run nothing."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cfvideo.core.errors import IntegrityError
from cfvideo.core.foreign.pickled import PickledArray, read_pickle
from tests.checkpoints import write_python2_pickle

RNG = np.random.default_rng(0)
ARRAYS: dict[str, Any] = {
    "conv_w": RNG.normal(size=(4, 3, 2, 2)).astype(np.float32), "bias": RNG.normal(size=300).astype(np.float32),
    "double": RNG.normal(size=(2, 2)), "fortran": np.asfortranarray(RNG.normal(size=(2, 3))),
    "big_endian": np.arange(5, dtype=">f4"), "half": np.arange(3, dtype=np.float16), "ints": np.array([1, -2, 2**40]),
    "bools": np.array([True, False]), "scalar": np.float32(0.25),
    "nothing_dimensional": np.array(7.0)}


def values(content: Any) -> Any:
    """Stand-ins replaced by their arrays."""
    if isinstance(content, PickledArray):
        return content.value
    if isinstance(content, dict):
        return {key: values(value) for key, value in content.items()}
    return [values(one) for one in content] if isinstance(content, list) else content


def assert_arrays_read(path: Path) -> None:
    found = values(read_pickle(path))["blobs"]
    assert found.keys() == ARRAYS.keys()
    for name, expected in ARRAYS.items():
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == np.asarray(expected).dtype.newbyteorder("=")


def test_python_2s_pickles(tmp_path: Path) -> None:
    path = write_python2_pickle(tmp_path / "c2.pkl", {"blobs": ARRAYS})
    names = {(code.name, text) for code, text, _ in pickletools.genops(path.read_bytes()) if code.name == "GLOBAL"}
    assert {text for _, text in names} == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype",
                                           "numpy.core.multiarray scalar"}
    assert_arrays_read(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_python_3s_pickles(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "arrays.pkl"
    path.write_bytes(pickle.dumps({"blobs": OrderedDict(ARRAYS), "epoch": 3, "names": ["a", None]}, protocol))
    assert_arrays_read(path)
    assert read_pickle(path)["names"] == ["a", None]


class Canary:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (os.fspath(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrap", [lambda bad: {"blobs": bad}, lambda bad: {"blobs": np.array([bad], dtype=object)},
                                  lambda bad: [1, (bad,)]], ids=["value", "object array", "list"])
def test_nothing_runs(tmp_path: Path, protocol: int, wrap: Any) -> None:
    canary, path = tmp_path / "canary", tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(wrap(Canary(canary)), protocol))
    with pytest.raises(IntegrityError) as caught:
        read_pickle(path)
    assert not canary.exists()
    assert "evil.pkl" in str(caught.value)
    assert "mkdir" in str(caught.value) or "arrays of numbers" in str(caught.value)
    pickle.loads(path.read_bytes())  # noqa: S301
    assert canary.exists()  # it was not harmless


@pytest.mark.parametrize(("module", "name"), [
    ("builtins", "eval"), ("__builtin__", "apply"), ("os", "system"), ("numpy", "load"), ("numpy", "memmap"),
    ("numpy.core.multiarray", "fromfile"), ("copy_reg", "_reconstructor"), ("torch._utils", "_rebuild_tensor_v2"),
    ("cfvideo.core.durable", "write_bytes"), ("numpy", "ndarray.tofile"), ("functools", "partial")])
def test_every_other_global_is_refused_by_its_name(tmp_path: Path, module: str, name: str) -> None:
    path = tmp_path / "asks.pkl"
    for asking in (f"c{module}\n{name}\n.".encode(), f"i{module}\n{name}\n.".encode(),
                   b"\x80\x04\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)])
                   + name.encode() + b"\x93."):
        path.write_bytes(asking if asking[:1] != b"i" else b"(" + asking)
        with pytest.raises(IntegrityError, match=rf"asks for {module}\.{name}, which is neither"):
            read_pickle(path)


@pytest.mark.parametrize("array", [np.array(["a", "b"]), np.array([b"x"]), np.array([None, 1], dtype=object),
                                   np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]), np.array(["2020-01-01"], "M8[D]")])
def test_arrays_of_other_things_than_numbers_are_refused(tmp_path: Path, array: Any) -> None:
    path = tmp_path / "objects.pkl"
    path.write_bytes(pickle.dumps({"blobs": array}, 2))
    with pytest.raises(IntegrityError, match="only arrays of numbers"):
        read_pickle(path)


HOSTILE = {
    "a memo of 16 GB": b"\x80\x02]r\xff\xff\xff\x7f.",
    "a string of an exabyte": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x0f.",
    "attributes for a stand-in": b"\x80\x02cnumpy\ndtype\n}U\x01aK\x01sb.", "a persistent id": b"Pabc\n.",
    "state for a list": b"\x80\x02]}U\x01aK\x01sb.", "an array of no state": b"\x80\x02cnumpy\nndarray\n)R.",
    "more numbers than bytes": (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R(K\x01K\x09\x85cnumpy\ndtype\nU\x02f4"
                                b"\x85R\x89U\x04abcdtb."),
    "data that is no data": (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R(K\x01K\x01\x85cnumpy\ndtype\nU\x02f4"
                             b"\x85R\x89]tb."),
    "a type of fields": b"\x80\x02cnumpy\ndtype\nU\x02f4\x85R(K\x03U\x01<}U\x01a\x85NNK\x01K\x01K\x00tb."}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pickles_end_in_a_refusal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hostile.pkl"
    path.write_bytes(content)
    try:
        read_pickle(path)
    except IntegrityError as error:
        assert "hostile.pkl" in str(error)
    else:
        assert content in (HOSTILE["a memo of 16 GB"], HOSTILE["attributes for a stand-in"])


def test_cut_and_changed_pickles_never_end_in_anything_but_a_refusal(tmp_path: Path) -> None:
    file = io.BytesIO()
    pickle.dump({"blobs": {"a": np.arange(3.0), "b": np.float32(1)}}, file, 2)
    whole, path, rng = file.getvalue(), tmp_path / "damaged.pkl", np.random.default_rng(1)
    changed = [whole[:length] for length in range(len(whole))]
    for _ in range(400):
        one = bytearray(whole)
        one[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        changed.append(bytes(one))
    refused = 0
    for content in changed:
        path.write_bytes(content)
        try:
            read_pickle(path)
        except IntegrityError:
            refused += 1
    assert refused >= len(whole)  # every cut one, and most of the others
