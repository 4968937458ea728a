"""Rows in chunks, rows that are parts, labels renumbered without Python objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvideo.core import index_columns
from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.core.index_builder import IndexBuilder, without_rare_labels
from cfvideo.core.index_columns import renumbered


def built(*, with_parts: bool = True, root: Path = Path("/data"), **changes: object) -> Index:
    builder = IndexBuilder(with_parts=with_parts)
    part = {"offset": 512, "length": 20, "member": b"a/\xff.mp4"} | changes
    builder.append(b"s.tar", 20, [0, 1], **part)  # type: ignore[arg-type]
    builder.append(b"frames", 30, [], offset=4, length=3)
    builder.append(b"whole.mp4", -1, [1])
    return builder.finish(["x", "y"], root=root)


def test_parts(tmp_path: Path) -> None:
    index = built(root=tmp_path)
    assert [index.name_of(row) for row in range(3)] == ["s.tar/a/\\udcff.mp4", "frames[4:7]", "whole.mp4"]
    assert [str(index.media_of(row)) for row in range(3)] == [f"{tmp_path}/s.tar[512:532]", f"{tmp_path}/frames[4:7]",
                                                             f"{tmp_path}/whole.mp4"]
    assert (index.num_missing, index.num_labelled, index.total_bytes) == (1, 2, 50)
    index.save(tmp_path / "x.arrow")
    loaded = Index.load(tmp_path / "x.arrow", tmp_path)
    assert loaded.content_hash == index.content_hash
    assert loaded.media_of(0) == index.media_of(0)
    assert loaded.relabelled(np.array([1, 0], np.int32), ["y", "x"]).media_of(0) == index.media_of(0)


def test_parts_are_part_of_the_identity() -> None:
    hashes = {built().content_hash, built(offset=1024).content_hash, built(length=21).content_hash,
              built(member=b"b").content_hash, built(with_parts=False).content_hash}
    assert len(hashes) == 5


@pytest.mark.parametrize("changes", [{"offset": -1}, {"length": -2}])
def test_parts_that_cannot_be(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="offsets are 0 or more"):
        built(**changes)


def test_a_plain_index_is_the_same_from_either_maker() -> None:
    plain = Index.build(paths=[b"s.tar", b"frames", b"whole.mp4"], sizes=[20, 30, -1], labels=[[0, 1], [], [1]],
                        label_names=["x", "y"], root=Path("/elsewhere"))
    assert built(with_parts=False).content_hash == plain.content_hash
    assert str(built(with_parts=False).media_of(1)) == "/data/frames"


def test_a_builder_without_rows() -> None:
    assert IndexBuilder().finish([], root=Path()).num_rows == 0
    assert IndexBuilder(with_parts=True).finish([], root=Path(), new_ids=np.zeros(0, np.int32)).num_rows == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), max_size=4, unique=True), max_size=20), st.permutations([0, 1, 2, -1, -1]),
       st.integers(1, 30))
def test_renumbered_labels(labels: list[list[int]], new_ids: list[int], rows_at_a_time: int) -> None:
    offsets = np.cumsum([0, *map(len, labels)])
    values = np.array([label for row in labels for label in row], np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_columns, "RENUMBERED_ROWS", rows_at_a_time)
        found, ids = renumbered(offsets, values, np.array(new_ids, np.int32))
    rows = [part.tolist() for part in np.split(ids, found[1:-1])] if labels else []
    assert rows == [sorted(new_ids[label] for label in row if new_ids[label] >= 0) for row in labels]
    assert (ids.dtype, found.dtype) == (np.int32, np.int64)


def test_rare_labels_of_parts_go_and_rows_stay() -> None:
    index = without_rare_labels(built(), 2)
    assert (index.label_names, index.num_rows, index.labels_of(0).tolist()) == (("y",), 3, [0])
    assert without_rare_labels(index, 1) is index
    with pytest.raises(DataError, match="MIN_ROWS_PER_LABEL = 3"):
        without_rare_labels(index, 3)
