"""FeatureStore: float16 features addressed by row, in shards that are ranges of rows.

One shard is one file, published whole, with its checksum inside; a shard that is there is finished. Which process
made it, and how many there were, leaves no trace. Shapes: N rows, D feature.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core.errors import IntegrityError
from cfvideo.core.tensors import load_header, load_tensors, save_tensors

OK = 0
UNDECODABLE = 1
NONFINITE = 2


@dataclass(frozen=True)
class FeatureBlock:
    """Consecutive rows: `features` float16 [n, D] and `valid` bool [n], from row `start` on."""

    start: int
    features: NDArray[np.float16]
    valid: NDArray[np.bool_]


class FeatureStore:
    """The features of rows [0, num_rows) of one index under one network.

    Args:
        folder: holds the shards.
        num_rows: N.
        shard_rows: rows per shard; only the writer chooses it, readers find it in the shards' names.
        identity: what the shards must agree on (index hash, network, layer, clips, decoder).
    """

    def __init__(self, folder: Path, *, num_rows: int, shard_rows: int, identity: Mapping[str, Any]) -> None:
        self.folder, self.num_rows, self.shard_rows = folder, num_rows, shard_rows
        self.identity = dict(identity)

    @classmethod
    def open(cls, folder: Path) -> FeatureStore:
        """A finished store, as its first shard describes it."""
        header = load_header(folder / cls._name(0, cls._first_stop(folder)))
        return cls(folder, num_rows=header["num_rows"], shard_rows=header["shard_rows"], identity=header["identity"])

    @staticmethod
    def _first_stop(folder: Path) -> int:
        found = sorted(folder.glob("rows-000000000000-*.safetensors"))
        if not found:
            raise IntegrityError(f"{folder}: no feature shard for row 0; delete this folder and run again")
        return int(found[0].stem.split("-")[2])

    @staticmethod
    def _name(start: int, stop: int) -> str:
        return f"rows-{start:012d}-{stop:012d}.safetensors"

    def shards(self) -> list[tuple[int, int]]:
        """Every shard's half-open row range, in order."""
        return [(start, min(start + self.shard_rows, self.num_rows))
                for start in range(0, self.num_rows, self.shard_rows)]

    def missing(self) -> list[tuple[int, int]]:
        """The shards still to be made."""
        return [shard for shard in self.shards() if not (self.folder / self._name(*shard)).exists()]

    def write(self, start: int, stop: int, features: NDArray[np.float32], failures: Mapping[int, tuple[str, str]],
              decoders: Mapping[str, int] | None = None) -> dict[int, tuple[str, str]]:
        """Publish one shard: float32 [stop - start, D], and row -> (status, cause) for the undecodable rows.

        Returns what it recorded as failures, in the same form.

        decoders: how many rows each decoder has decoded.

        NaN and Inf, in float32 or once rounded to float16, are failures too; they are never clustered.
        """
        with np.errstate(over="ignore"):
            half = features.astype(np.float16)
        nonfinite = np.flatnonzero(~np.isfinite(half).all(axis=1))
        failures = {start + int(row): ("nonfinite", "a feature is NaN or beyond float16") for row in nonfinite} | {
            **failures}
        status = np.full(stop - start, OK, dtype=np.uint8)
        for row, (why, _) in failures.items():
            status[row - start] = NONFINITE if why == "nonfinite" else UNDECODABLE
        half[status != OK] = 0
        header = {"identity": self.identity, "num_rows": self.num_rows, "shard_rows": self.shard_rows,
                  "decoders": dict(decoders or {}),
                  "failures": {str(row): list(why) for row, why in sorted(failures.items())}}
        tensors = {"features": torch.from_numpy(half), "status": torch.from_numpy(status)}
        save_tensors(self.folder / self._name(start, stop), tensors, header)
        return failures

    def decoders(self) -> dict[str, int]:
        """Rows by what has decoded them, over all finished shards."""
        paths = [self.folder / self._name(*shard) for shard in self.shards()]
        found = sum((Counter(load_header(path).get("decoders", {})) for path in paths if path.exists()), Counter[str]())
        return dict(sorted(found.items()))

    def failures(self) -> dict[int, tuple[str, str]]:
        """row -> (status, cause) over all finished shards, from their headers alone."""
        found: dict[int, tuple[str, str]] = {}
        for shard in self.shards():
            path = self.folder / self._name(*shard)
            if path.exists():
                found |= {int(row): (why[0], why[1]) for row, why in load_header(path)["failures"].items()}
        return found

    def blocks(self) -> Iterator[FeatureBlock]:
        """All rows in order, one verified shard at a time; the whole matrix is never in memory."""
        for start, stop in self.shards():
            tensors, header = load_tensors(self.folder / self._name(start, stop))
            if header["identity"] != self.identity:
                raise IntegrityError(f"{self.folder / self._name(start, stop)}: belongs to other features "
                                     f"({header['identity']}, expected {self.identity}); delete this folder")
            yield FeatureBlock(start, tensors["features"].numpy(), tensors["status"].numpy() == OK)

    def read_all(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """float32 [N, D] and validity [N]: for sets that fit in memory, as those of probes do."""
        blocks = list(self.blocks())
        features = np.concatenate([block.features for block in blocks]).astype(np.float32)
        return features, np.concatenate([block.valid for block in blocks])
