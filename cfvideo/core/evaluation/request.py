"""What a user asks of one network: which data, judged how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cfvideo.core.errors import ConfigError
from cfvideo.core.index import Index
from cfvideo.core.records import Modality


@dataclass(frozen=True)
class Place:
    """A data set on disk, as D_PRE.FORMAT and D_PRE.PATH name it."""

    format: str
    path: Path

    @classmethod
    def parse(cls, text: str, flag: str) -> Place:
        """FORMAT:PATH. Raises ConfigError, naming the flag."""
        form, colon, path = text.partition(":")
        if not colon or not form or not path:
            raise ConfigError(f"{flag} {text}: expected FORMAT:PATH, for example kinetics:/data/kinetics/val")
        return cls(form, Path(path))


@dataclass(frozen=True)
class Request:
    """data: scored by the network's own classifier; or train and test: yardsticks learn from one and score the other.

    root: folder that lists' paths start from; None: each list's own. names: labels in order, of lists that hold numbers
    and of a network whose weights do not name its classes. overrides: config keys and values.
    """

    weights: Path
    out: Path
    data: Place | None = None
    train: Place | None = None
    test: Place | None = None
    root: Path | None = None
    names: tuple[str, ...] | None = None
    overrides: Sequence[str] = ()

    def __post_init__(self) -> None:
        if (self.train is None) != (self.test is None) or (self.data is None) == (self.train is None):
            raise ConfigError("give either --data, to score the network's own classes, or --train and --test, to judge "
                              "its features")
        if self.names is not None and self.data is None:
            raise ConfigError("--labels names the classes of the network's own classifier, which only --data asks for: "
                              "leave it out")

    def read(self, modality: Modality, place: Place, names: tuple[str, ...] | None) -> Index:
        """The index of one place. Raises DataError where it cannot be read."""
        return modality.read_index(format=place.format, path=place.path, root=self.root, min_rows_per_label=1,
                                   label_names=names)
