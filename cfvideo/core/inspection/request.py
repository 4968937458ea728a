"""What a user asks to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cfvideo.core.errors import ConfigError

MAX_CLUSTERS = 24
ORDERS = ("size", "purity")


@dataclass(frozen=True)
class Request:
    """files, overrides: the run's config, as run_net takes it; it says where the media lie.

    seed: which of SEEDS; None: the first. Where a row has several labels, it also says which one counts. network: whose
    labels, as the plan of --dry-run names them behind the seed. folder: a finished assign stage, instead of the one
    that the config stands for. order: `num_clusters` are chosen evenly along it. clusters: these ones instead. page:
    where to write; None: below OUTPUT_DIR.
    """

    files: Sequence[Path]
    overrides: Sequence[str] = ()
    seed: int | None = None
    network: str = "n_cf"
    folder: Path | None = None
    order: str = "size"
    num_clusters: int = 12
    clusters: tuple[int, ...] = ()
    page: Path | None = None

    def __post_init__(self) -> None:
        if not self.files:
            raise ConfigError("--cfg: give the config files of the run whose clusters you want to see, for example "
                              "--cfg configs/demo.yaml")
        asked = len(self.clusters) or self.num_clusters
        if not 1 <= asked <= MAX_CLUSTERS:
            name = "--clusters" if self.clusters else "--num-clusters"
            raise ConfigError(f"{name}: {asked} clusters asked for; a page shows 1 to {MAX_CLUSTERS}")
