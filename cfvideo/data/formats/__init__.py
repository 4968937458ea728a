"""Data sets as they lie on disk -> a frozen index; README.md shows every format's true form."""

from cfvideo.core.formats.index_file import names_from, write_parquet
from cfvideo.data.formats.read import FORMATS, read_index

__all__ = ["FORMATS", "names_from", "read_index", "write_parquet"]
