"""What every reader of a format is given, and label names -> ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.formats.list_files import Rows, Where, lines_of, text_of
from cfvideo.core.formats.media_kind import MediaKind
from cfvideo.core.index_builder import Progress, no_progress
from cfvideo.core.index_columns import check_names, ids_of

# Without names a label file may still not name half the integers: a stray id would make as many classes.
MAX_UNNAMED_LABELS = 1_000_000
Names = tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A data set to read: its folder or list, which files are samples, the folder its paths start from, the label
    space, whom to tell."""

    path: Path
    kind: MediaKind
    root: Path | None = None
    label_names: Names | None = None
    progress: Progress = no_progress

    @property
    def folder(self) -> Path:
        """Where the paths of a list start from: the root, or else the list's own folder."""
        return self.path.parent if self.root is None else self.root

    def rows(self, root: Path | None = None, *, with_parts: bool = False) -> Rows:
        return Rows(self.folder if root is None else root, self.kind, with_parts=with_parts, progress=self.progress)


class NumberedLabels:
    """Labels that a list gives as numbers, named by `names` or, without them, by themselves."""

    def __init__(self, names: Names | None) -> None:
        self._names, self._largest = names, -1
        self._limit = MAX_UNNAMED_LABELS if names is None else len(names)

    def id_of(self, where: object, text: bytes) -> int:
        """Raises DataError for what is not a whole number in the label space."""
        label = int(text) if is_number(text) else -1
        if not 0 <= label < self._limit:
            raise DataError(f"{where}: label {printable(text)!r} is not a whole number in [0, {self._limit}); "
                            "one label a line by its name is FORMAT path_name")
        self._largest = max(self._largest, label)
        return label

    def names(self) -> Names:
        return self._names if self._names is not None else tuple(str(label) for label in range(1 + self._largest))


class NamedLabels:
    """Labels that a list gives by name. Without given names they are those that were met, sorted."""

    def __init__(self, names: Names | None) -> None:
        self._names = names
        self._ids = {} if names is None else ids_of(names)

    def id_of(self, where: object, name: str) -> int:
        """Raises DataError for a name outside the given ones."""
        label = self._ids.get(name)
        if label is None:
            if self._names is not None:
                return label_id(self._ids, name, where)
            check_names([name], str(where))
            label = self._ids[name] = len(self._ids)
        return label

    def names(self) -> Names:
        return self._names if self._names is not None else tuple(sorted(self._ids))

    def new_ids(self) -> NDArray[np.int32] | None:
        """int32: the final id of every id handed out; None where they are the same."""
        if self._names is not None:
            return None
        order = {name: label for label, name in enumerate(self.names())}
        return np.array([order[name] for name in self._ids], np.int32)


def label_id(ids: Mapping[str, int], name: str, where: object) -> int:
    """The id of a label name. Raises DataError where the label space has no such name."""
    if name not in ids:
        raise DataError(f"{where}: label {name!r} is unknown to the training split, which has {len(ids)} labels")
    return ids[name]


def is_number(text: bytes) -> bool:
    """Whether this is a whole number of at most nine digits, without a sign."""
    return text.isdigit() and len(text) < 10


def names_in(file: Path) -> Names | None:
    """Label names, one per line, the first being label 0; None where there is no such file."""
    if not file.exists():
        return None
    lines: Sequence[tuple[Where, bytes]] = list(lines_of(file))
    names = tuple(text_of(where, line) for where, line in lines)
    if lines and lines[-1][0].line != len(lines):
        raise DataError(f"{file}: a blank line between names would shift the labels after it")
    ids_of(names, str(file))
    return names
