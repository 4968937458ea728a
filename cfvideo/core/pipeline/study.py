"""One or several runs over one store, and their one report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from cfvideo.core.paper_numbers import reference
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.rows import Arrangement, Row, Wired, arrange
from cfvideo.core.report.layout import Axis, Chart
from cfvideo.core.stage import Stage
from cfvideo.core.stages.report import Cover, run_report


@dataclass
class Study:
    """A run, or the variants of an ablation.

    contexts: of each run; runs: its stages and where it stands on the axes. axis, legend: of an ablation. statuses:
    fingerprint -> run | reused, filled while the stages are made, shown by the report.
    """

    contexts: Sequence[Context]
    runs: Sequence[Wired]
    cover: Cover
    axis: Axis | None = None
    legend: str = ""
    statuses: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _arranged(self) -> Arrangement:
        return arrange(self.runs)

    @property
    def work(self) -> Sequence[Stage]:
        """Every stage but the report, once, after its inputs."""
        return self._arranged.stages

    @cached_property
    def page(self) -> Cover:
        """The cover, with what is known of the networks now."""
        rows = self._arranged.rows
        layout = replace(self.cover.layout, legend=self.legend, reference=self._reference(rows),
                         baselines={name: row.baseline for name, row in rows.items()},
                         chart=chart(self.axis, rows) if self.axis else None)
        return replace(self.cover, layout=layout)

    def _reference(self, rows: Mapping[str, Row]) -> dict[tuple[str, str], float]:
        found = {}
        for name, row in rows.items():
            context = self.contexts[row.run]
            classes = {target: len(train.label_names) for target, (train, _) in context.data.targets.items()}
            for target, value in reference(context.spec, row.network, classes).items():
                found[(name, target)] = value
        return found

    def stages(self) -> list[Stage]:
        """All stages, the report last; its pictures are of the first run's D_cf."""
        first = self.contexts[0]
        run = partial(run_report, stages=self.work, cover=self.page, statuses=self.statuses, modality=first.modality,
                      d_cf=first.data.d_cf, reading=first.reading)
        inputs = {stage.fingerprint: stage for stage in self.work}
        # What a stage is called on the page depends on the other runs that it is shown with.
        keys = {**self.page.keys, "stages": {stage.fingerprint: stage.role for stage in self.work}}
        return [*self.work, Stage("report", self.cover.title, keys, inputs, run, version=4)]


def chart(axis: Axis, rows: Mapping[str, Row]) -> Chart | None:
    """Where each network stands on the axis: those that differ in nothing else make a series. None where none moves."""
    points = {}
    for name, row in rows.items():
        if axis.name in row.at:
            others = [label for own, label in row.at.items() if own != axis.name]
            points[name] = ("_".join([row.network, *others]), axis.places[row.at[axis.name]][0])
    return Chart(axis, points) if points else None
