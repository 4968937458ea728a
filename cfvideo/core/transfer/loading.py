"""From a finished store of features to what a yardstick is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.features import FeatureStore
from cfvideo.core.index import Index
from cfvideo.core.transfer.samples import Features, Samples

# Five grids of ImageNet are 117 GB: a layer beyond this lies in a file, of which memory holds what is in use.
IN_MEMORY_BYTES = 2 << 30


def labelled_samples(folder: Path, index: Index, scratch: Path) -> tuple[Samples, int]:
    """The rows that decoded and have a label, or one that a test ignores, as they are stored; how many did not decode.

    Large layers are laid out in order in files below `scratch`, which must outlive the samples.

    Raises:
        IntegrityError: a shard is missing, damaged or of another index.
    """
    store = FeatureStore.open(folder, index_hash=index.content_hash)
    valid = np.concatenate([block.valid for block in store.blocks()])
    rows = np.flatnonzero(_wanted(index) & valid)
    samples = Samples({layer: _features(store, layer, rows, scratch / f"{layer}.rows") for layer in store.layers},
                      [index.labels_of(int(row)) for row in rows],
                      [index.ignored_of(int(row)) for row in rows] if len(index.ignored) else ())
    return samples, int((~valid).sum())


def _wanted(index: Index) -> NDArray[np.bool_]:
    labelled: NDArray[np.bool_] = np.diff(index.labels_csr()[0]) > 0
    labelled[index.ignored[:, 0]] = True
    return labelled


def _features(store: FeatureStore, layer: str, rows: NDArray[np.int64], file: Path) -> Features:
    """float16 [len(rows), V, D]; V is 1 where views were averaged."""
    first = next(store.blocks(layer)).features
    shape, at = (len(rows), *((1,) if first.ndim == 2 else ()), *first.shape[1:]), 0
    if np.prod(shape) * first.itemsize <= IN_MEMORY_BYTES:
        found = np.empty(shape, first.dtype)
        for block in store.blocks(layer):
            own = _own(rows, block.start, block.features)
            found[at:at + len(own)] = own.reshape(-1, *shape[1:])
            at += len(own)
        return found
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:  # written, not mapped to be written: a full disk is an error then, and no signal
        for block in store.blocks(layer):
            out.write(_own(rows, block.start, block.features).tobytes())
    return np.asarray(np.memmap(file, first.dtype, "c", shape=shape))


def _own(rows: NDArray[np.int64], start: int, features: NDArray[np.floating]) -> NDArray[np.floating]:
    """Of `rows`, those of one block."""
    low, high = np.searchsorted(rows, (start, start + len(features)))
    return features[rows[low:high] - start]
