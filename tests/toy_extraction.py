"""The extract stage over the toy modality, in this process or in others that share its folder."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfvideo.core import extraction
from cfvideo.core.distributed import joined
from cfvideo.core.durable import sha256_file
from cfvideo.core.errors import exit_code_of
from cfvideo.core.feature_rows import FeatureRows
from cfvideo.core.features import FeatureStore
from cfvideo.core.index import Index
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.network_file import FILE_NAME, save_network
from cfvideo.core.records import Batch, Modality, Reading
from cfvideo.core.screen import Screen
from cfvideo.core.stage import Artefact, Workspace
from cfvideo.core.stages.extract import run_extract
from tests.core.processes import environment
from tests.toy_modality import HEADER, TOY, ToyNetwork, read_index

PROGRAM = "from tests.toy_extraction import main; main()"


def toy_index(rows: str) -> Index:
    return read_index(format="", path=Path(rows), root=None, min_rows_per_label=1)


def all_rows(store: FeatureStore, layer: str | None = None) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """float32 [N, D] or [N, V, D], and validity [N]."""
    rows = FeatureRows(store, layer)
    return rows(np.arange(store.num_rows)), rows.valid


def network_artefact(folder: Path, seed: int = 0) -> Artefact:
    """A drawn toy network, as a stage would publish it; the first call makes it."""
    if not folder.exists():
        network = ToyNetwork(3)
        network.initialise(torch.Generator().manual_seed(seed))
        folder.mkdir()
        save_network(folder, network, num_classes=3, **HEADER)
    return Artefact(folder, {"fingerprint": "n", "files": {FILE_NAME: {"sha256": sha256_file(folder / FILE_NAME)}}})


def extract(folder: Path, rows: str = "30", *, modality: Modality = TOY, seed: int = 0, screen: Screen | None = None,
            **changed: Any) -> Mapping[str, Any]:
    """run_extract with small defaults; `rows` as toy_modality.read_index takes them."""
    folder.mkdir(exist_ok=True)
    work = Workspace(folder, {"network": network_artefact(folder.parent / f"network{seed}", seed)},
                     screen or Screen(), StopRequest(), "extract toys", folder.parent / "events")
    arguments: dict[str, Any] = {
        "view": {}, "layers": ("res5",), "num_views": 2, "keep_views": False, "batch_size": 8, "shard_rows": 4,
        "reading": Reading(), "max_bad_share": 0.5, "device": torch.device("cpu"), **changed}
    return run_extract(work, modality=modality, index=toy_index(rows), **arguments)


def shards(folder: Path) -> dict[str, bytes]:
    """What a finished stage publishes."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def stuck_after(num_batches: int, sign: Path) -> Modality:
    """Toys whose reading hangs, like a lost disk, once `num_batches` were read; it leaves `sign` then."""
    read = iter(range(num_batches))

    def eval_batches(*args: Any, **more: Any) -> Iterator[Batch]:
        for batch in TOY.eval_batches(*args, **more):
            if next(read, None) is None:
                sign.touch()
                time.sleep(600)
            yield batch

    return replace(TOY, eval_batches=eval_batches)


def worker(folder: Path, *, rows: str = "30", more: Mapping[str, str] | None = None,
           **options: Any) -> subprocess.Popen[str]:
    """Another process that takes part in `extract(folder, rows)`; options: of `main`, or plain ones of `extract`."""
    network_artefact(folder.parent / "network0")
    given = json.dumps({"folder": str(folder), "rows": rows, **options})
    return subprocess.Popen([sys.executable, "-c", PROGRAM, given], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, env=environment(**(more or {})))


def finished(*workers: subprocess.Popen[str]) -> tuple[list[int], str]:
    """Exit codes of all workers, and what they said."""
    said = "".join(one.communicate(timeout=120)[0] for one in workers)
    return [one.returncode for one in workers], said


def main() -> None:
    """The other side of `worker`: stuck_after [batches, sign]; largest_file, bytes; the rest goes to `extract`."""
    options = json.loads(sys.argv[1])
    folder, stuck, limit = Path(options.pop("folder")), options.pop("stuck_after", None), options.pop("largest_file", 0)
    torch.set_num_threads(1)
    extraction.POLL_SECONDS = 0.02
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    modality = stuck_after(stuck[0], Path(stuck[1])) if stuck else TOY

    def work() -> None:
        with joined():
            print(json.dumps(extract(folder, modality=modality, **options), sort_keys=True))

    sys.exit(exit_code_of(work))
