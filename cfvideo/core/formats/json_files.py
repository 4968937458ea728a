"""Data sets described in one JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cfvideo.core.errors import DataError


def text_in(file: Path) -> str:
    """The text of a UTF-8 file, without its byte order mark, or a DataError."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{file}: the list cannot be read ({error.strerror}); give the path of a list file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8: {error}") from error


def parsed_json(file: Path, text: str) -> Any:
    """JSON, or a DataError that names file and line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{file}:{error.lineno}: not JSON: {error.msg}") from error
    except RecursionError as error:
        raise DataError(f"{file}: not JSON: nested too deeply") from error
    except ValueError as error:  # a number of more digits than Python converts
        raise DataError(f"{file}: not JSON that can be read: {error}") from error
