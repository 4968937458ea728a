"""Which labels and rows N_pre learns, and how wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.core.label_space import most_frequent, names_in, noisy, restricted, sampled

TAGS = [["run"], ["run", "jump"], ["love"], ["jump"], [], ["run", "love"], ["swim"]]
NAMES = ("jump", "love", "run", "swim")


@pytest.fixture
def index() -> Index:
    labels = [[NAMES.index(tag) for tag in tags] for tags in TAGS]
    return Index.build(paths=[f"{row}.mp4".encode() for row in range(len(TAGS))], sizes=[1] * len(TAGS),
                       labels=[sorted(own) for own in labels], label_names=NAMES, root=Path())


def _tags(index: Index) -> dict[str, list[str]]:
    return {index.name_of(row): [index.label_names[label] for label in index.labels_of(row)]
            for row in range(index.num_rows)}


def test_the_most_frequent_labels_lead_and_ties_go_to_the_lower(index: Index) -> None:
    assert most_frequent(index, 3) == ["run", "jump", "love"]
    assert most_frequent(index, 99) == ["run", "jump", "love", "swim"]


def test_only_rows_with_a_label_of_the_space_stay_and_only_those_labels(index: Index) -> None:
    assert _tags(restricted(index, ["run", "swim"], "K")) == {
        "0.mp4": ["run"], "1.mp4": ["run"], "5.mp4": ["run"], "6.mp4": ["swim"]}
    assert restricted(index, ["swim", "run"], "K").label_names == ("run", "swim")


def test_an_unknown_label_is_refused_by_name(index: Index) -> None:
    with pytest.raises(DataError, match=r"LABELS.ONLY: 1 of 2 names are no labels .* such as 'fly'; it has 'jump'"):
        restricted(index, ["run", "fly"], "D_PRE.LABELS.ONLY")


def test_a_sample_is_fixed_and_in_the_order_of_rows(index: Index) -> None:
    chosen = list(_tags(sampled(index, 4, "K")))
    assert chosen == sorted(chosen)
    assert len(chosen) == 4
    assert chosen == list(_tags(sampled(index, 4, "K")))
    with pytest.raises(DataError, match="MAX_ROWS: 8 rows asked of 7"):
        sampled(index, 8, "D_PRE.LABELS.MAX_ROWS")


@pytest.mark.parametrize("content", [b"run\r\n\r\njump\r\n", b"\xef\xbb\xbfrun\njump", b" run \njump\n\n"])
def test_names_are_read_line_by_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "names.txt").write_bytes(content)
    assert names_in(tmp_path / "names.txt", "K") == ["run", "jump"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00", None])
def test_a_list_without_names_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"D_PRE.LABELS.ONLY: .*names.txt"):
        names_in(tmp_path / "names.txt", "D_PRE.LABELS.ONLY")


@given(share=st.floats(0, 1), num_labels=st.integers(2, 9), seed=st.integers(0, 1000))
def test_noise_never_keeps_the_true_label_and_hits_its_share(share: float, num_labels: int, seed: int) -> None:
    labels = np.arange(3000, dtype=np.int32) % (num_labels + 1) - 1
    changed = noisy(labels, num_labels, share=share, seed=seed)
    assert np.array_equal(changed == -1, labels == -1)
    assert changed.max() < num_labels
    labelled = labels >= 0
    wrong = (changed != labels)[labelled]
    assert abs(wrong.mean() - share) < 5 * np.sqrt(max(share * (1 - share), 1e-9) / labelled.sum()) + 1e-9


def test_noise_draws_evenly_from_all_other_labels_and_differs_between_seeds() -> None:
    labels = np.zeros(30_000, np.int32)
    counts = np.bincount(noisy(labels, 4, share=1.0, seed=3), minlength=4)
    assert counts[0] == 0
    assert counts[1:].min() > 9_600
    assert not np.array_equal(noisy(labels, 4, share=0.5, seed=3), noisy(labels, 4, share=0.5, seed=4))


def test_noise_needs_another_label() -> None:
    with pytest.raises(DataError, match="at least two labels"):
        noisy(np.zeros(3, np.int32), 1, share=0.5, seed=0)
    assert len(noisy(np.zeros(0, np.int32), 0, share=0.5, seed=0)) == 0  # the data is not here yet
