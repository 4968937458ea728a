"""File names from lists that strangers wrote: bytes, which need not be UTF-8 and may try to leave their folder."""

from __future__ import annotations

import os


def refusal_of_path(path: bytes) -> str | None:
    """Why a path in a list cannot be used (absolute, leaves its folder, ...), or None where it can."""
    if not path or b"\0" in path:
        return "is empty or holds a zero byte"
    if path.startswith(b"/"):
        return "is absolute; paths start from the data set's root"
    if b".." in path.split(b"/"):
        return "leaves the root through '..'"
    return None


def printable(path: bytes) -> str:
    """A file name for a message: text, with whatever does not print escaped (newlines, bytes that are not UTF-8)."""
    text = os.fsdecode(path)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
