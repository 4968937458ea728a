"""Data without the labels that are to be learned is refused while planning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from cfvideo.core.config import load_run_spec
from cfvideo.core.datasets import DataSets
from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.core.pipeline import Pipeline
from cfvideo.core.stages.report import Cover
from tests.toy_modality import TOY

SEVERAL, SAME, NONE, EMPTY = [[0], [1], [1]], [[1], [1], []], [[], []], []
WORDS = ["D_PRE.PATH", "x", "D_TAR.T", "{TRAIN: x, TEST: y}", "CLUSTER.NUM_CLUSTERS", "2"]


def _index(labels: Sequence[Sequence[int]]) -> Index:
    return Index.build(paths=[f"{row}".encode() for row in range(len(labels))], sizes=[1] * len(labels),
                       labels=[list(own) for own in labels], label_names=("a", "b"), root=Path())


def _plan(d_pre: Sequence[Sequence[int]], train: Sequence[Sequence[int]], test: Sequence[Sequence[int]],
          *words: str) -> None:
    proxy = _index(d_pre)
    data = DataSets(proxy, proxy, {"T": (_index(train), _index(test))})
    cover = Cover("t", "command", "", "")
    assert Pipeline(load_run_spec([], [*WORDS, *words]), TOY, data, torch.device("cpu"), cover).work


@pytest.mark.parametrize(("d_pre", "train", "test", "said"), [
    (NONE, SEVERAL, SEVERAL, ["D_PRE.PATH: its 2 rows have no label, and N_PRE needs two labels"]),
    (SAME, SEVERAL, SEVERAL, ["D_PRE.PATH: its 3 rows have one label, the same, and N_PRE needs two labels"]),
    (SEVERAL, SAME, SAME, ["D_TAR.T.TRAIN: its 3 rows have one label, the same, and a probe needs two"]),
    (SEVERAL, SEVERAL, NONE, ["D_TAR.T.TEST: its 2 rows have no label, so nothing says what is right"]),
    (NONE, NONE, NONE, ["D_PRE.PATH: ", "D_TAR.T.TRAIN: ", "D_TAR.T.TEST: "])])
def test_each_split_that_lacks_labels_is_named(d_pre: Sequence[Sequence[int]], train: Sequence[Sequence[int]],
                                               test: Sequence[Sequence[int]], said: Sequence[str]) -> None:
    with pytest.raises(DataError) as caught:
        _plan(d_pre, train, test)
    lines = str(caught.value).splitlines()
    assert [line[:len(start)] for line, start in zip(lines, said, strict=True)] == list(said)


def test_a_test_split_may_have_one_label_and_what_is_not_here_yet_any() -> None:
    _plan(SEVERAL, SEVERAL, SAME)
    _plan(EMPTY, EMPTY, EMPTY)


def test_a_pretext_task_needs_no_labels() -> None:
    _plan(NONE, SEVERAL, SEVERAL, "MODALITY", "image", "N_PRE.TASK", "rotnet")
