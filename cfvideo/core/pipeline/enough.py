"""Whether the data sets hold what is to be learned of them: found out at planning time, not after days of training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cfvideo.core.config import learn_labels
from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.core.pipeline.context import Context


def check_labels(context: Context) -> None:
    """DataError with every split that lacks the labels it is read for. What is not here yet is taken to be right."""
    wrong = [*_proxy(context), *_targets(context)]
    if wrong:
        raise DataError("\n".join(wrong))


def _proxy(context: Context) -> Iterator[str]:
    """What N_pre learns."""
    index, learners = context.data.d_pre, learn_labels(context.spec)
    if learners and index.num_rows and _num_classes(index) < 2:
        pretext = ", or choose a pretext task (N_PRE.TASK)" if context.spec.modality == "image" else ""
        yield (f"D_PRE.PATH: {_found(index)}, and {learners[0]} needs two labels to tell apart: give D_PRE a FORMAT "
               f"with labels and rows of several, or bring a finished network (N_PRE.WEIGHTS){pretext}")


def _targets(context: Context) -> Iterator[str]:
    """What probes learn, and are judged by."""
    for name, (train, test) in context.data.targets.items():
        if train.num_rows and _num_classes(train) < 2:
            yield (f"D_TAR.{name}.TRAIN: {_found(train)}, and a probe needs two labels to tell apart: choose a FORMAT "
                   "with labels and a split with rows of several, or leave the target out")
        if test.num_rows and not _num_classes(test):
            yield (f"D_TAR.{name}.TEST: {_found(test)}, so nothing says what is right: choose a FORMAT with labels and "
                   "the split that has them, or leave the target out")


def _num_classes(index: Index) -> int:
    return len(np.unique(index.labels_csr()[1]))


def _found(index: Index) -> str:
    count = _num_classes(index)
    return f"its {index.num_rows:,} rows have {'no label' if not count else 'one label, the same'}"
