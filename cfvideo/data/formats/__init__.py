"""Data sets as they lie on disk -> a frozen index; README.md shows every format's true form."""

from cfvideo.data.formats.read import FORMATS, read_index

__all__ = ["FORMATS", "read_index"]
