"""Caffe2's pickles, read without executing anything in them.

A pickle is a program: its GLOBAL opcodes name functions, which it then calls. Those of Caffe2's tools
(`pickle.dump({"blobs": ...}, protocol 2)` of Python 2: VMZ's `c2/tools/minidb_to_pickle.py`) name exactly three,
`numpy.core.multiarray._reconstruct`, `numpy.ndarray` and `numpy.dtype`. The reader below knows these, their names in
newer NumPy, numpy scalars, `_codecs.encode` (bytes under protocol 2 of Python 3) and OrderedDict, and refuses every
other by its name. Even these are stand-ins of ours: neither NumPy's unpickling nor any other foreign code is reached.

Python's own interpreter of pickles is used in its pure Python form, because the C one allocates whatever memory a
file asks for.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.errors import IntegrityError

# What a damaged or hostile pickle makes the interpreter raise.
_BROKEN = (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError,
           MemoryError, AssertionError, struct.error)
_NUMBERS = re.compile(r"b1|[iu][1248]|f[248]")


class _DType:
    """Stands in for numpy.dtype: plain numbers only."""

    def __init__(self, text: Any, *_flags: Any) -> None:
        if not isinstance(text, str) or not _NUMBERS.fullmatch(text):
            raise IntegrityError(f"holds an array of {text!r}, not of numbers; only arrays of numbers are read")
        self.text, self.order = text, "="

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        if order not in ("<", ">", "=", "|") or any(state[2:5]):
            raise ValueError(f"a type of numbers with fields: {state!r}")
        self.order = order

    @property
    def value(self) -> np.dtype[Any]:
        return np.dtype(("=" if self.order == "|" else self.order) + self.text)


class PickledArray:
    """Stands in for numpy.ndarray; `value` is the array once the pickle has given its content."""

    def __init__(self) -> None:
        self.value: NDArray[Any] = np.zeros(0, np.float32)

    def __setstate__(self, state: Any) -> None:
        shape, dtype, is_fortran, data = state[-4:]
        self.fill(data, dtype, shape, "F" if is_fortran else "C")

    def fill(self, data: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
        """The array of raw `data`: bytes, or what Python 2's strings come as under latin1."""
        if not isinstance(dtype, _DType) or isinstance(data, list):
            raise IntegrityError("holds an array of Python objects; only arrays of numbers are read")
        raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
        stored = np.frombuffer(raw, dtype.value).reshape(shape, order="F" if order == "F" else "C")
        self.value = np.array(stored, stored.dtype.newbyteorder("="), order="C")
        return self


class _Reader(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Callable[..., Any] | str] = {
            ("numpy", "ndarray"): "numpy.ndarray", ("numpy", "dtype"): self._dtype,
            ("collections", "OrderedDict"): dict, ("_codecs", "encode"): self._encode}
        for core in ("numpy.core", "numpy._core"):
            known |= {(f"{core}.multiarray", "_reconstruct"): self._reconstruct,
                      (f"{core}.multiarray", "scalar"): self._scalar,
                      (f"{core}.numeric", "_frombuffer"): self._frombuffer}
        if (module, name) not in known:
            raise IntegrityError(f"asks for {module}.{name}, which is neither an array nor a container: loading it as "
                                 "its maker meant would run code; nothing of it was run, and it is refused")
        return known[module, name]

    def _dtype(self, *arguments: Any) -> _DType:
        return _DType(*arguments)

    def _reconstruct(self, *_arguments: Any) -> PickledArray:
        return PickledArray()

    def _scalar(self, dtype: Any, data: Any) -> PickledArray:
        return PickledArray().fill(data, dtype, (), "C")

    def _frombuffer(self, data: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
        return PickledArray().fill(data, dtype, shape, order)

    def _encode(self, text: str, encoding: str) -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise ValueError(f"unknown encoding {encoding!r}")
        return text.encode("latin1")


def read_pickle(path: Path) -> Any:
    """What a pickle of arrays holds: dicts, lists and tuples of PickledArray, numbers and text.

    Raises:
        IntegrityError: it asks for anything else, or is cut or damaged.
    """
    try:
        return _Reader(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except IntegrityError as error:
        raise IntegrityError(f"{path}: {error}") from error
    except _BROKEN as error:
        raise IntegrityError(f"{path}: cut or damaged: {type(error).__name__}: {error}; fetch it again") from error
