"""A network made elsewhere that stands in for N_pre: read at planning time, copied into a stage of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cfvideo.core.durable import sha256_file
from cfvideo.core.errors import DataError, IntegrityError
from cfvideo.core.network_facts import class_names_of
from cfvideo.core.network_file import FILE_NAME, network_path, read_header
from cfvideo.core.specs import ClipSpec


@dataclass(frozen=True)
class Imported:
    """path: the weights.safetensors; digest: of its bytes, what stands for it in fingerprints. class_names: of its
    classifier, in order; none where it carries none."""

    path: Path
    digest: str
    architecture: Mapping[str, Any]
    view: Mapping[str, Any]
    num_classes: int
    class_names: tuple[str, ...] = ()


@lru_cache(maxsize=16)
def imported(place: str, key: str) -> Imported:
    """The network in a file, or in a folder that tools/import_weights.py made.

    Raises:
        DataError: there is none, or it is not in this project's format.
    """
    path = network_path(Path(place))
    hint = f"give a {FILE_NAME} that this program made, or make one with: python tools/import_weights.py FILE --out DIR"
    if not path.is_file():
        raise DataError(f"{key}: {path} does not exist; {hint}")
    try:
        header = read_header(path)
        return Imported(path, sha256_file(path), header["architecture"], _whole(header["view"]), header["num_classes"],
                        class_names_of(path, header))
    except IntegrityError as error:
        raise DataError(f"{key}: {error}; {hint}") from error


def _whole(view: Mapping[str, Any]) -> dict[str, Any]:
    """A view with all that training asks of one: a file of before there was a key is as the key's default."""
    return {**dataclasses.asdict(ClipSpec()), **view}
