"""Do these tensors fit that network?"""

from __future__ import annotations

import pytest
import torch

from cfvideo.core.errors import IntegrityError
from cfvideo.core.matching import match

WANTED = {"a": torch.zeros(2, 3), "b": torch.zeros(4), "count": torch.zeros((), dtype=torch.int64)}


def test_everything_fits() -> None:
    found = match({**WANTED, "b": torch.zeros(4, dtype=torch.float16)}, {name: value.to("meta") for name, value in
                                                                         WANTED.items()})
    assert found.is_whole
    assert found.loaded == ("a", "b", "count")
    found.require("file", "way out")


@pytest.mark.parametrize(("change", "line"), [
    ({"b": None}, "missing: 1: b"), ({"c": torch.zeros(1)}, "unexpected: 1: c"),
    ({"a": torch.zeros(3, 2)}, "mismatched: 1: a (float [3, 2], the network takes float [2, 3])"),
    ({"count": torch.zeros(())}, "mismatched: 1: count (float [], the network takes integer [])")])
def test_what_does_not_fit_is_named(change: dict[str, torch.Tensor | None], line: str) -> None:
    changed = {name: value for name, value in {**WANTED, **change}.items() if value is not None}
    found = match(changed, WANTED)
    assert found.lines() == [line]
    with pytest.raises(IntegrityError) as caught:
        found.require("some file", "take another")
    assert caught.value.exit_code == 6
    assert str(caught.value).startswith("some file: weights of another network")
    assert line in str(caught.value)
    assert str(caught.value).endswith("take another")


def test_long_lists_are_cut_and_counted() -> None:
    (line,) = match({}, {f"w{i}": torch.zeros(1) for i in range(40)}).lines()
    assert line == f"missing: 40: {', '.join(f'w{i}' for i in range(12))} and 28 more"
