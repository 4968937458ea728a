"""How the networks of a page belong together, and how an ablation's figure is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Axis:
    """What an ablation changes, as the horizontal axis of its figure.

    form: lines or bars, as in the paper's figure. text: what stands under it. scale: linear, log or names. places:
    position and text of each value, by the label that it has in the networks' names.
    """

    name: str
    form: str
    text: str
    scale: str
    places: Mapping[str, tuple[float, str]]


@dataclass(frozen=True)
class Chart:
    """points: (series, position) of each network that the axis changes; the others are level lines."""

    axis: Axis
    points: Mapping[str, tuple[str, float]]


@dataclass(frozen=True)
class Layout:
    """How the networks of a page belong together.

    baselines: the N_pre that each network is compared with; empty: none; where it is not named: n_pre. reference: the
    paper's own values (fractions) by network and target, where the setting is the paper's. legend: what the networks'
    names mean. num_clusters: K of the config, whose clusters are shown where there are several; 0: unknown.
    """

    baselines: Mapping[str, str] = field(default_factory=dict)
    chart: Chart | None = None
    reference: Mapping[tuple[str, str], float] = field(default_factory=dict)
    legend: str = ""
    num_clusters: int = 0

    def __post_init__(self) -> None:
        wrong = {key: value for key, value in self.reference.items() if not 0.0 <= value <= 1.0}
        if wrong:
            raise ValueError(f"the paper's numbers must be fractions from 0 to 1, not percentages: {wrong}")

    def as_json(self) -> dict[str, Any]:
        """All of it, in values that JSON has."""
        named = sorted([*names, value] for names, value in self.reference.items())
        return {**asdict(self), "reference": named}
