"""score: a network's own classifier on labelled rows, each scored by the mean of its clips' probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cfvideo.core.backbone import Backbone
from cfvideo.core.durable import write_json
from cfvideo.core.failures import check_ceiling, write_failures
from cfvideo.core.faults import fault_point
from cfvideo.core.index import Index
from cfvideo.core.metrics import NUM_BEST, Tally, best_classes
from cfvideo.core.network_file import FILE_NAME, load_network
from cfvideo.core.records import Batch, Modality, Reading
from cfvideo.core.screen import Task
from cfvideo.core.stage import Workspace
from cfvideo.core.stages.extract import PASSING_FAILURES
from cfvideo.core.tensors import load_tensors, save_tensors
from cfvideo.core.transfer.tables import CLASSES, CONFUSIONS, FIGURES, class_table, confusion_table, counted

Failures = dict[int, tuple[str, str]]
# The best classes of some rows, int64 [n, NUM_BEST], and why rows failed.
Part = tuple[NDArray[np.int64], Failures]


def run_score(work: Workspace, *, modality: Modality, index: Index, view: Mapping[str, Any], num_views: int,
              batch_size: int, shard_rows: int, reading: Reading, max_bad_share: float, device: torch.device,
              ) -> Mapping[str, Any]:
    """Score every row of `index` with the classifier of the network in inputs["network"]; count those with a label.

    Probabilities are averaged over `num_views` uniform views (the test protocol of the paper's [20]: 10 clips).
    Finished ranges of `shard_rows` rows lie in the scratch folder until the stage is done.
    """
    network = load_network(work.inputs["network"].file(FILE_NAME), modality)
    cast(nn.Module, network).to(device)
    read = partial(modality.eval_batches, index, view=view, num_views=num_views, reading=reading,
                   batch_rows=max(1, batch_size // num_views))
    tally, bad = Tally(len(index.label_names)), Failures()
    with work.screen.task(work.title, index.num_rows, "rows") as task:
        for start in range(0, index.num_rows, shard_rows):
            rows = np.arange(start, min(start + shard_rows, index.num_rows))
            best, failures = _kept(rows, partial(_scored, network, read, num_views, device), task, work)
            bad |= failures
            check_ceiling(len(bad), index.num_rows, max_bad_share=max_bad_share, where=work.title,
                          last=str(list(failures.items())[-1:]))
            labels = [index.labels_of(int(row)) for row in rows]
            tally.count(best, labels, np.array([row not in bad and len(own) > 0
                                                for row, own in zip(rows, labels, strict=True)]))
    write_failures(work.folder, index, bad)
    facts = {**counted(tally), "num_test_rows": tally.num_rows, "num_rows": index.num_rows, "num_bad_rows": len(bad)}
    write_json(work.folder / FIGURES, facts)
    write_json(work.folder / CLASSES, class_table(tally, index.label_names))
    write_json(work.folder / CONFUSIONS, confusion_table(tally))
    return facts


def _kept(rows: NDArray[np.int64], make: Callable[..., Part], task: Task, work: Workspace) -> Part:
    """What `make` makes of a range of rows, or made in an earlier attempt."""
    path = work.scratch / f"best-{rows[0]:012d}-{len(rows)}.safetensors"
    if path.exists():
        tensors, header = load_tensors(path)
        failures = {int(row): (why[0], why[1]) for row, why in header["failures"].items()}
        if not {status for status, _ in failures.values()} & set(PASSING_FAILURES):
            task.advance(len(rows))
            return tensors["best"].numpy(), failures
    best, failures = make(rows, task, work)
    save_tensors(path, {"best": torch.from_numpy(best)},
                 {"failures": {str(row): list(why) for row, why in failures.items()}})
    fault_point("shard")
    return best, failures


def _scored(network: Backbone, read: Callable[[NDArray[np.int64]], Iterable[Batch]], num_views: int,
            device: torch.device, rows: NDArray[np.int64], task: Task, work: Workspace) -> Part:
    """The best classes of consecutive rows, and why the undecodable ones among them failed."""
    best, failures = np.full((len(rows), NUM_BEST), -1, np.int64), Failures()
    for batch in read(rows):
        with torch.inference_mode():
            clips = network(batch.data.to(device)).double().softmax(dim=1)
        means = clips.view(-1, num_views, clips.shape[1]).mean(dim=1).cpu().numpy()
        here = batch.rows[::num_views]
        best[here[here >= 0] - rows[0]] = best_classes(means, NUM_BEST)[here >= 0]
        failures |= {failure.row: (failure.status, failure.cause) for failure in batch.failures}
        task.advance(int((here >= 0).sum()), f"{len(failures)} bad" if failures else "")
        work.stop.check()
    return best, failures
