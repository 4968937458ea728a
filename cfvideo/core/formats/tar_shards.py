"""WebDataset's tar shards: samples are members with one key, `000017.mp4`, `000017.cls`; media is read in place.

The key is what stands before the first dot of a member's base name, folders included, as in WebDataset. A sample has
one video, or one image, and may have labels: `.cls` (a number), `.json` (`tags`, `labels` or `label`: names or numbers)
or `.txt` (names, one per line); the first of these that says something counts. Other members are left alone, pickles
too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable, refusal_of_path
from cfvideo.core.formats.media_kind import MediaKind
from cfvideo.core.formats.source import NamedLabels, NumberedLabels, Source, is_number, names_in
from cfvideo.core.formats.tar_members import Member, TarReader, open_shard
from cfvideo.core.index import Index
from cfvideo.core.index_builder import IndexBuilder

MAX_LABEL_BYTES = 1 << 20
_BRACES = re.compile(r"(.*)\{(\d+)\.\.(\d+)\}(.*)")
_LABEL_FIELDS = (b"cls", b"json", b"txt")


@dataclass
class Sample:
    """The members of one key."""

    key: bytes
    members: dict[bytes, Member] = field(default_factory=dict)


def read_tar(source: Source) -> Index:
    """`path`: a folder of *.tar, one tar file, or `shard-{000000..000099}.tar`."""
    shards = shards_of(source.path)
    root = source.path if source.path.is_dir() else source.folder
    root = source.root if source.root is not None else root
    names = source.label_names if source.label_names is not None else names_in(shards[0].parent / "labels.txt")
    labels, builder = _Labels(names), IndexBuilder(with_parts=True, progress=source.progress)
    for shard in shards:
        path = _relative(shard, root)
        with closing(open_shard(shard)) as file:
            reader = TarReader(shard, file)
            for sample in samples_of(reader):
                medium = _medium(reader, sample, source.kind)
                ids = sorted(set(labels.ids_of(reader, sample)))
                builder.append(path, medium.size, ids, medium.offset, medium.size, medium.name)
    return labels.finish(builder, root)


def shards_of(path: Path) -> list[Path]:
    """The shards in order. Raises DataError where there is none, or where one of a numbered range is missing."""
    braces = _BRACES.fullmatch(path.name)
    if braces is None:
        shards = sorted(file for file in path.glob("*.tar")) if path.is_dir() else [path]
        if not shards:
            raise DataError(f"{path}: holds no .tar file")
        return shards
    before, first, last, after = braces.groups()
    numbers = range(int(first), int(last) + 1)
    shards = [path.with_name(f"{before}{number:0{len(first)}d}{after}") for number in numbers]
    missing = [shard for shard in shards if not shard.exists()]
    if missing or not shards:
        raise DataError(f"{path}: {len(missing)} of {len(shards)} shards are missing"
                        + (f", the first is {missing[0]}" if missing else ""))
    return shards


def _relative(shard: Path, root: Path) -> bytes:
    try:
        path = os.fsencode(shard.relative_to(root))
    except ValueError as error:
        raise DataError(f"{shard}: lies outside the root {root}") from error
    if not Path(os.path.realpath(shard)).is_relative_to(os.path.realpath(root)):
        raise DataError(f"{shard}: a symbolic link out of {root}; copy the file, or give the folder that holds both as "
                        "root")
    return path


def samples_of(reader: TarReader) -> Iterator[Sample]:
    """Members that follow each other under one key. Raises DataError for keys and names that are there twice."""
    sample: Sample | None = None
    seen: set[bytes] = set()
    for member in reader.members():
        key, extension = _key(reader, member)
        if not key:
            continue
        if sample is None or sample.key != key:
            if sample is not None:
                yield sample
            if key in seen:
                raise reader.error(member.name, f"comes back to the key {printable(key)!r}, which ended before: "
                                   "members of a sample must follow each other, and a key is there once")
            seen.add(key)
            sample = Sample(key)
        if extension in sample.members:
            raise reader.error(member.name, "is there twice")
        sample.members[extension] = member
    if sample is not None:
        yield sample


def _key(reader: TarReader, member: Member) -> tuple[bytes, bytes]:
    """(key, extension); an empty key for hidden files and WebDataset's own remarks (__...)."""
    refusal = refusal_of_path(member.name)
    if refusal is not None:
        raise reader.error(member.name, refusal)
    folder, _, base = member.name.rpartition(b"/")
    if base.startswith((b".", b"__")):
        return b"", b""
    stem, _, extension = base.partition(b".")
    return os.path.join(folder, stem), extension.lower()


def _medium(reader: TarReader, sample: Sample, kind: MediaKind) -> Member:
    media = [member for extension, member in sample.members.items() if kind.has_name(b"key." + extension)]
    if len(media) == 1:
        return media[0]
    if not media:
        first = next(iter(sample.members.values()))
        raise reader.error(first.name, f"belongs to the sample {printable(sample.key)!r}, which holds no {kind.noun}")
    raise reader.error(media[1].name, f"and {printable(media[0].name)!r} are both {kind.noun}s of the key "
                       f"{printable(sample.key)!r}, which is what stands before the first dot; rename one of them")


class _Labels:
    """Labels of a data set of shards: all numbers, or all names."""

    def __init__(self, names: tuple[str, ...] | None) -> None:
        self._numbers, self._names = NumberedLabels(names), NamedLabels(names)
        self._numeric: bool | None = None

    def ids_of(self, reader: TarReader, sample: Sample) -> list[int]:
        for extension in _LABEL_FIELDS:
            member = sample.members.get(extension)
            found = [] if member is None else _labels_in(reader, member, extension)
            if member is not None and found:
                return [self._id(reader, member, label) for label in found]
        return []

    def _id(self, reader: TarReader, member: Member, label: str | int) -> int:
        where, numeric = f"{reader.shard}: member {printable(member.name)!r}", isinstance(label, int)
        if self._numeric not in (None, numeric):
            raise DataError(f"{where}: label {label!r}: some labels are numbers and some are names; use one of the two")
        self._numeric = numeric
        return self._numbers.id_of(where, str(label).encode()) if numeric else self._names.id_of(where, str(label))

    def finish(self, builder: IndexBuilder, root: Path) -> Index:
        if self._numeric:
            return builder.finish(self._numbers.names(), root=root)
        return builder.finish(self._names.names(), root=root, new_ids=self._names.new_ids())


def _labels_in(reader: TarReader, member: Member, extension: bytes) -> list[str | int]:
    content = reader.content(member, MAX_LABEL_BYTES)
    try:
        text = content.decode("utf-8-sig").strip()
        if extension == b"cls":
            if not is_number(text.encode()):
                raise reader.error(member.name, f"holds {text[:40]!r}, which is not a class number, 0 or more")
            return [int(text)]
        if extension == b"txt":
            return [line.strip() for line in text.splitlines() if line.strip()]
        return _labels_in_json(reader, member, json.loads(text))
    except (ValueError, RecursionError) as error:
        raise reader.error(member.name, f"cannot be read: {error}") from error


def _labels_in_json(reader: TarReader, member: Member, record: object) -> list[str | int]:
    fields = record if isinstance(record, dict) else {}
    found: object = next((fields[key] for key in ("tags", "labels", "label") if key in fields), [])
    labels: list[str | int] = []
    for label in found if isinstance(found, list) else [found]:
        if not isinstance(label, str | int) or isinstance(label, bool):
            raise reader.error(member.name, f"holds the label {str(label)[:40]}, which is neither name nor number")
        labels.append(label)
    return labels
