"""Importing a decoder that need not be installed, with an error that says how to install it."""

from __future__ import annotations

import importlib
from typing import Any

from cfvideo.core.errors import ConfigError


def imported(module: str, *, decoder: str, install: str) -> Any:
    """A module of an optional package.

    decoder: the word of DATA.DECODER that asks for it. install: the command that brings it.

    Raises ConfigError where it cannot be imported, or not used.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:
        cause = next(iter(str(error).strip().splitlines()), repr(error))
        raise unusable(decoder, cause, install) from error


def unusable(decoder: str, cause: str, install: str) -> ConfigError:
    """The error for a decoder that is not there."""
    return ConfigError(f"DATA.DECODER = {decoder!r}: the package cannot be used ({cause}); install it with: {install}, "
                       "or leave DATA.DECODER at auto")
