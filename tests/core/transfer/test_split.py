"""The held-out part: seeded, stratified, and no class is lost to it."""

from __future__ import annotations

import numpy as np

from cfvideo.core.transfer.split import split_holdout


def test_holdout_is_a_seeded_partition() -> None:
    classes = np.repeat([0, 1], [40, 10]).astype(np.int32)
    fit, held = split_holdout(classes, share=0.2, seed=3)
    assert np.bincount(classes[held]).tolist() == [8, 2]
    assert sorted([*fit, *held]) == list(range(50))
    assert not np.array_equal(held, split_holdout(classes, share=0.2, seed=4)[1])


def test_no_class_is_lost_to_the_holdout() -> None:
    for seed in range(20):
        fit, held = split_holdout(np.array([0, 0, 0, 0, 0, 1], np.int32), share=0.1, seed=seed)
        assert 5 in fit
        assert len(held) == 1
