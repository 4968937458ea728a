"""Videos that several test modules read, encoded once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.synthetic import write_kind


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name of a recipe -> its file, to be read only."""
    folder, made = tmp_path_factory.mktemp("videos"), dict[str, Path]()

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = write_kind(folder, kind)
        return made[kind]

    return make
