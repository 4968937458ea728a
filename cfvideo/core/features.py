"""FeatureStore: float16 features addressed by row, in shards that are ranges of rows.

One shard is one file, published whole, with its checksum inside; a shard that is there is finished. Which process
made it, and how many there were, leaves no trace. It is read through a memory map, so that of a shard only the rows
and the layer that somebody looks at come from disk. Shapes: N rows, V views, D feature.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.claims import Rows
from cfvideo.core.durable import canonical_json, own_tmp
from cfvideo.core.errors import IntegrityError
from cfvideo.core.feature_shard import OK, STATUS, STATUS_BYTES, half_precision, verify_once
from cfvideo.core.tensors import load_header, map_tensors, save_tensors

# row -> (status, cause)
Failures = Mapping[int, tuple[str, str]]


@dataclass(frozen=True)
class FeatureBlock:
    """Consecutive rows: `features` float16 [n, D], or [n, V, D] where views were kept, and `valid` bool [n], from row
    `start` on."""

    start: int
    features: NDArray[np.float16]
    valid: NDArray[np.bool_]


class FeatureStore:
    """The features of rows [0, num_rows) of one index under one network.

    Args:
        folder: holds the shards.
        num_rows: N.
        shard_rows: rows per shard; only the writer chooses it, readers find it in the shards.
        layers: what each row has features of; readers get the first unless they name another.
        identity: what the shards must agree on (index hash, network, weights, view, clips, decoder).
    """

    def __init__(self, folder: Path, *, num_rows: int, shard_rows: int, layers: Sequence[str],
                 identity: Mapping[str, Any]) -> None:
        self.folder, self.num_rows, self.shard_rows = folder, num_rows, shard_rows
        described = {"identity": dict(identity), "num_rows": num_rows, "shard_rows": shard_rows,
                     "layers": list(layers)}
        self._header: dict[str, Any] = json.loads(canonical_json(described))  # as it comes back from a file
        self.layers: tuple[str, ...] = tuple(layers)

    @classmethod
    def open(cls, folder: Path, *, index_hash: str | None = None) -> FeatureStore:
        """A finished store, as its first shard describes it.

        Raises:
            IntegrityError: there is none, or it holds features of another index than `index_hash`.
        """
        found = sorted(folder.glob("rows-000000000000-*.safetensors"))
        if not found:
            raise IntegrityError(f"{folder}: no feature shard for row 0; delete this folder and run again")
        header = load_header(found[0])
        of = header["identity"].get("index", "none")
        if index_hash not in (None, of):
            raise IntegrityError(f"{folder}: features of index {of[:12]}, but the data is now index {index_hash:.12}; "
                                 "run the extract stage again")
        return cls(folder, **{key: header[key] for key in ("num_rows", "shard_rows", "layers", "identity")})

    def path(self, rows: Rows) -> Path:
        """The file of one shard."""
        return self.folder / f"rows-{rows[0]:012d}-{rows[1]:012d}.safetensors"

    def shards(self) -> list[Rows]:
        """Every shard's half-open row range, in order."""
        return [(start, min(start + self.shard_rows, self.num_rows))
                for start in range(0, self.num_rows, self.shard_rows)]

    def has(self, rows: Rows) -> bool:
        """Whether a shard is published."""
        return self.path(rows).exists()

    def missing(self) -> list[Rows]:
        """The shards still to be made."""
        return [shard for shard in self.shards() if not self.has(shard)]

    def unusable(self, path: Path, *, retry: Collection[str] = ()) -> str:
        """Why a file of this folder is no shard of this store, or "": what to ask of an earlier attempt's remains.

        retry: statuses of rows that may do better the next time.
        """
        try:
            verify_once(path)
            header = load_header(path)
        except IntegrityError:
            return "damaged"
        if any(header.get(key) != value for key, value in self._header.items()):
            return "made for other features or in another size"
        again = {status for status, _ in header["failures"].values()} & set(retry)
        return f"holds rows that may do better now ({', '.join(sorted(again))})" if again else ""

    def write(self, rows: Rows, features: Mapping[str, NDArray[np.float32]], failures: Failures,
              decoders: Mapping[str, int] | None = None) -> Failures:
        """Publish one shard: float32 [n, D] or [n, V, D] of each layer, and why the undecodable rows failed.

        decoders: how many rows each decoder has decoded.

        Returns what it recorded as failures. NaN and Inf, in float32 or once rounded to float16, are failures too, in
        whichever layer; they are never clustered.
        """
        start, stop = rows
        halves = {layer: half_precision(features[layer]) for layer in self.layers}
        finite = np.logical_and.reduce([np.isfinite(half).reshape(len(half), -1).all(axis=1)
                                        for half in halves.values()])
        recorded = {start + int(row): ("nonfinite", "a feature is NaN or beyond float16")
                    for row in np.flatnonzero(~finite)} | {**failures}
        status = np.full(stop - start, OK, dtype=np.uint8)
        for row, (word, _) in recorded.items():
            status[row - start] = STATUS_BYTES.get(word, STATUS_BYTES["undecodable"])
        for half in halves.values():
            half[status != OK] = 0
        header = {**self._header, "decoders": dict(decoders or {}),
                  "failures": {str(row): list(why) for row, why in sorted(recorded.items())}}
        tensors = {**{layer: torch.from_numpy(half) for layer, half in halves.items()},
                   STATUS: torch.from_numpy(status)}
        save_tensors(self.path(rows), tensors, header, tmp=own_tmp(self.path(rows)))
        return recorded

    def decoders(self) -> dict[str, int]:
        """Rows by what has decoded them, over all finished shards."""
        found = sum((Counter(header["decoders"]) for header in self._headers()), Counter[str]())
        return dict(sorted(found.items()))

    def failures(self, shards: Collection[Rows] | None = None) -> dict[int, tuple[str, str]]:
        """row -> (status, cause) over all finished shards, or over some, from their headers alone."""
        return {int(row): (why[0], why[1]) for header in self._headers(shards)
                for row, why in header["failures"].items()}

    def _headers(self, shards: Collection[Rows] | None = None) -> Iterator[dict[str, Any]]:
        for shard in self.shards() if shards is None else shards:
            if self.has(shard):
                yield load_header(self.path(shard))

    def dims(self) -> dict[str, int]:
        """D of each layer."""
        tensors = self._read(self.shards()[0])
        return {layer: tensors[layer].shape[-1] for layer in self.layers}

    def blocks(self, layer: str | None = None, *, start: int = 0, stop: int | None = None,
               rows_per_block: int | None = None) -> Iterator[FeatureBlock]:
        """Rows [start, stop) in order, at most a shard or `rows_per_block` at a time, straight from the files' pages.

        The whole matrix is never in memory. A shard is verified when it is first looked at (`verify_once`).

        Raises:
            IntegrityError: a shard is missing, damaged or of other features.
        """
        for first, last in self.shards():
            low, high = max(first, start), min(last, self.num_rows if stop is None else stop)
            if low >= high:
                continue
            whole = self.block((first, last), layer)
            step = rows_per_block or high - low
            for at in range(low, high, step):
                here = slice(at - first, min(at + step, high) - first)
                yield FeatureBlock(at, whole.features[here], whole.valid[here])

    def block(self, shard: Rows, layer: str | None = None) -> FeatureBlock:
        """One whole shard, mapped: of its features only what is looked at is read. Raises as `blocks`."""
        tensors = self._read(shard)
        return FeatureBlock(shard[0], tensors[layer or self.layers[0]].numpy(), tensors[STATUS].numpy() == OK)

    def _read(self, shard: Rows) -> dict[str, torch.Tensor]:
        path = self.path(shard)
        verify_once(path)
        tensors, header = map_tensors(path)
        if any(header.get(key) != value for key, value in self._header.items()):
            raise IntegrityError(f"{path}: belongs to other features ({header['identity']}, expected "
                                 f"{self._header['identity']}); delete this folder")
        return tensors
