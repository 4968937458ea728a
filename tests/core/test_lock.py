"""One writer per output folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cfvideo.core.errors import ConfigError
from cfvideo.core.lock import output_lock


def test_a_second_run_is_refused_with_the_owner_and_may_come_later(tmp_path: Path) -> None:
    with output_lock(tmp_path / "out"), pytest.raises(ConfigError, match=f'in use by another.*"pid": {os.getpid()}'):
        output_lock(tmp_path / "out").__enter__()
    with output_lock(tmp_path / "out"):
        pass


def test_a_file_in_the_way_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(ConfigError, match="OUTPUT_DIR: .* cannot be written"):
        output_lock(tmp_path / "out").__enter__()
