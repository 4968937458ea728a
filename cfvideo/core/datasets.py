"""The indexes a run reads, and what is missing of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from cfvideo.core.durable import TMP_SUFFIX, publish
from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.core.label_space import most_frequent, names_in, restricted, sampled
from cfvideo.core.records import Modality, Reading
from cfvideo.core.row_status import KnownBad, digest, read_known_bad
from cfvideo.core.screen import Screen
from cfvideo.core.specs import SAME, LabelSpec, RunSpec, SourceSpec, TargetSpec


@dataclass(frozen=True)
class DataSets:
    """D_pre, D_cf and the (train, test) splits of every target.

    missing: one message per data set that cannot be read; an index of no rows stands in for it, so that --dry-run
    can still say what the run would be. known_bad: by index hash, the rows that DATA.STATUS says cannot be read.
    """

    d_pre: Index
    d_cf: Index
    targets: Mapping[str, tuple[Index, Index]]
    missing: tuple[str, ...] = ()
    known_bad: Mapping[str, KnownBad] = field(default_factory=dict)

    def indexes(self) -> dict[str, Index]:
        """Every index by a name for people."""
        named = {"D_pre": self.d_pre, "D_cf": self.d_cf}
        for name, (train, test) in self.targets.items():
            named |= {f"{name} train": train, f"{name} test": test}
        return named

    def save(self, folder: Path) -> None:
        """Keep each index under its hash: what says later which file a row of a result was."""
        folder.mkdir(parents=True, exist_ok=True)
        for index in self.indexes().values():
            path = folder / f"{index.content_hash[:24]}.arrow"
            if not path.exists():
                tmp = path.with_suffix(TMP_SUFFIX)
                index.save(tmp)
                publish(tmp, path)

    def identity_of(self, index: Index) -> dict[str, str]:
        """What stands for a data set in fingerprints: its index, and the rows known to be bad, where there are any."""
        bad = self.known_bad.get(index.content_hash)
        return {"index": index.content_hash} | ({"known_bad": digest(bad)} if bad else {})

    def require(self) -> None:
        """DataError with every missing set, before anything runs."""
        if self.missing:
            raise DataError("\n".join(self.missing))


@dataclass(frozen=True, eq=False)
class _Absent(Index):
    """No rows, in the place of a data set that is not here. what: its path, so that a plan counts each such set."""

    what: str = ""

    @cached_property
    def content_hash(self) -> str:
        return f"not here: {self.what}"


def _absent(what: str) -> Index:
    empty = Index.build(paths=[], sizes=[], labels=[], label_names=(), root=Path())
    return _Absent(empty.table, empty.label_names, empty.root, empty.ignored, what)


def cf_source(spec: RunSpec) -> SourceSpec:
    """D_cf's source: D_pre's where D_CF.PATH is empty (the paper's common setting, D_pre = D_cf)."""
    return spec.d_cf if spec.d_cf.path else spec.d_pre


def open_datasets(spec: RunSpec, modality: Modality, screen: Screen) -> DataSets:
    """Read every index of the run; what cannot be read is reported, not raised."""
    missing: list[str] = []

    def read(key: str, format: str, path: str, root: str, min_rows: int, names: tuple[str, ...] | None = None,
             ) -> Index:
        try:
            index = modality.read_index(format=format, path=Path(path), root=Path(root) if root else None,
                                        min_rows_per_label=min_rows, label_names=names)
        except DataError as error:
            missing.append(f"{key}: {error}")
            return _absent(path)
        if index.num_rows == 0:
            missing.append(f"{key}: {path} holds no samples; check the path and the format ({format})")
            return _absent(path)
        gone = f", {index.num_missing:,} files missing" if index.num_missing else ""
        screen.say(f"{key}: {index.num_rows:,} rows, {len(index.label_names)} labels{gone}, {path}")
        return index

    def source(key: str, given: SourceSpec) -> Index:
        index = read(f"{key}.PATH", given.format, given.path, given.root, given.min_rows_per_label)
        try:
            return _label_space(index, given.labels, f"{key}.LABELS", screen) if index.num_rows else index
        except DataError as error:
            missing.append(str(error))
            return _absent(given.path)

    def splits(name: str, target: TargetSpec) -> tuple[Index, Index]:
        train = read(f"D_TAR.{name}.TRAIN", target.format, target.train, target.root, 1)
        names = train.label_names if train.num_rows else None
        format = target.format if target.test_format == SAME else target.test_format
        return train, read(f"D_TAR.{name}.TEST", format, target.test, target.test_root or target.root, 1, names)

    d_pre = source("D_PRE", spec.d_pre)
    d_cf = source("D_CF", spec.d_cf) if spec.d_cf.path else d_pre
    targets = {name: splits(name, target) for name, target in spec.d_tar.items()}
    return with_known_bad(DataSets(d_pre, d_cf, targets, tuple(missing)), spec.data.status)


def _label_space(index: Index, labels: LabelSpec, key: str, screen: Screen) -> Index:
    """The rows and labels of D_pre or D_cf that LABELS leaves."""
    if not (labels.only or labels.top or labels.max_rows):
        return index
    if labels.only:
        index = restricted(index, names_in(Path(labels.only), f"{key}.ONLY"), f"{key}.ONLY")
    if labels.top:
        index = restricted(index, most_frequent(index, labels.top), f"{key}.TOP")
    if labels.max_rows:
        index = sampled(index, labels.max_rows, f"{key}.MAX_ROWS")
    screen.say(f"{key}: leaves {index.num_rows:,} rows, {len(index.label_names)} labels")
    return index


def with_known_bad(data: DataSets, place: str) -> DataSets:
    """Learn from DATA.STATUS, once every data set is there for it to be of."""
    if not place or data.missing:
        return data
    num_rows = {index.content_hash: index.num_rows for index in data.indexes().values()}
    try:
        return replace(data, known_bad=read_known_bad(Path(place), num_rows))
    except DataError as error:
        return replace(data, missing=(str(error),))


def reading_from(spec: RunSpec, data: DataSets) -> Reading:
    """How this run reads media."""
    return Reading(decoder=spec.data.decoder, threads=spec.system.decode_threads,
                   max_frame_pixels=spec.data.max_frame_pixels, workers=spec.system.decode_workers,
                   timeout_seconds=spec.data.decode_timeout_seconds, worker_rows=spec.system.decode_worker_rows,
                   worker_bytes=spec.system.decode_worker_mib << 20, known_bad=data.known_bad,
                   packets=Path(os.path.abspath(spec.output_dir)) / "packets")
