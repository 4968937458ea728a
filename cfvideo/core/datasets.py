"""The indexes a run reads, and what is missing of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cfvideo.core.durable import TMP_SUFFIX
from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.core.records import Modality
from cfvideo.core.screen import Screen
from cfvideo.core.specs import RunSpec, SourceSpec, TargetSpec


@dataclass(frozen=True)
class DataSets:
    """D_pre, D_cf and the (train, test) splits of every target.

    missing: one message per data set that cannot be read; an index of no rows stands in for it, so that --dry-run
    can still say what the run would be.
    """

    d_pre: Index
    d_cf: Index
    targets: Mapping[str, tuple[Index, Index]]
    missing: tuple[str, ...] = ()

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
                tmp.replace(path)

    def require(self) -> None:
        """DataError with every missing set, before anything runs."""
        if self.missing:
            raise DataError("\n".join(self.missing))


def nothing() -> Index:
    """An index of no rows."""
    return Index.build(paths=[], sizes=[], labels=[], label_names=(), root=Path())


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
            return nothing()
        if index.num_rows == 0:
            missing.append(f"{key}: {path} holds no samples; check the path and the format ({format})")
            return nothing()
        screen.say(f"{key}: {index.num_rows:,} rows, {len(index.label_names)} labels, {path}")
        return index

    def source(key: str, given: SourceSpec) -> Index:
        return read(f"{key}.PATH", given.format, given.path, given.root, given.min_rows_per_label)

    def splits(name: str, target: TargetSpec) -> tuple[Index, Index]:
        train = read(f"D_TAR.{name}.TRAIN", target.format, target.train, target.root, 1)
        names = train.label_names if train.num_rows else None
        return train, read(f"D_TAR.{name}.TEST", target.format, target.test, target.root, 1, names)

    d_pre = source("D_PRE", spec.d_pre)
    d_cf = source("D_CF", spec.d_cf) if spec.d_cf.path else d_pre
    targets = {name: splits(name, target) for name, target in spec.d_tar.items()}
    return DataSets(d_pre, d_cf, targets, tuple(missing))
