"""report: everything the other stages found out, on one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from cfvideo.core import failures as failure_file
from cfvideo.core.index import Index
from cfvideo.core.journal import METRICS, read_journal
from cfvideo.core.pseudo_labels import PseudoLabels
from cfvideo.core.records import Modality, Reading
from cfvideo.core.report.clusters import shown
from cfvideo.core.report.data import (
    ClusterSummary,
    ContactSheet,
    FailureLine,
    ProbeResult,
    ReportData,
    StageLine,
    TrainingCurve,
)
from cfvideo.core.report.layout import Layout
from cfvideo.core.report.numbers import METRIC_NAMES, pick_clusters
from cfvideo.core.report.protocol import FINE_TUNING
from cfvideo.core.stage import Artefact, Stage, Workspace
from cfvideo.core.stages.cluster import LABELS
from cfvideo.core.transfer.low_shot import CHOSEN_ON_TEST

_NUM_SHEETS = 7
_PICTURES_PER_SHEET = 12
_PICTURE_HEIGHT_PX = 72


@dataclass(frozen=True)
class Cover:
    """What the page says beside results. facts: of the data and of the variants; machine: versions and the like.
    layout: how its networks belong together."""

    title: str
    command: str
    config_yaml: str
    expectation: str
    facts: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    layout: Layout = field(default_factory=Layout)

    @property
    def keys(self) -> dict[str, Any]:
        """What of it decides the page, as JSON: all but the machine, which no stage's fingerprint knows."""
        said = {**asdict(self), "layout": self.layout.as_json()}
        del said["machine"]
        return said


Parts = Sequence[tuple[Stage, Artefact]]


def collect(parts: Parts, cover: Cover, statuses: Mapping[str, str]) -> ReportData:
    """The report's data from finished stages, pictures apart."""
    return ReportData(
        title=cover.title, command=cover.command, config_yaml=cover.config_yaml, expectation=cover.expectation,
        facts={**cover.facts, **cover.machine}, layout=cover.layout,
        probes=[_PROBES[part[0].name](*part) for part in parts if part[0].name in _PROBES],
        curves=[_curve(*part) for part in parts if part[0].name in _TRAININGS
                and METRICS in part[1].manifest["files"]],
        clusters=_clusters(parts), failures=[line for part in parts for line in _failures(*part)],
        stages=[_line(*part, statuses) for part in parts])


def _probe(stage: Stage, artefact: Artefact) -> ProbeResult:
    facts = artefact.facts
    few = facts["results"].get("low_shot", {})
    return ProbeResult(network=stage.about["network"], target=stage.about["target"], seed=stage.about["seed"],
                       metrics=_metrics(facts), strength=facts["strength"], method=facts["method"],
                       layer=facts["layer"], protocol=facts["protocol"], results=_results(facts["results"]),
                       low_shot={layer: {int(shot): scores for shot, scores in found["shots"].items()}
                                 for layer, found in few.items()},
                       low_shot_on_test=any(found["chosen_on"] == CHOSEN_ON_TEST for found in few.values()),
                       num_test_rows=facts["num_test_rows"], num_invalid_rows=facts["num_invalid_rows"],
                       num_unlabelled_rows=facts["num_unlabelled_rows"])


def _metrics(figures: Mapping[str, Any]) -> dict[str, float]:
    return {name: figures[name] for name in METRIC_NAMES if name in figures}


def _results(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Every method and layer; low_shot has no single figure and a table of its own."""
    return {method: {layer: _metrics(figures) for layer, figures in layers.items()}
            for method, layers in tables.items() if method != "low_shot"}


def _finetuned(stage: Stage, artefact: Artefact) -> ProbeResult:
    """The score of a fine-tuned network, as a target of its own beside the probes of frozen features."""
    facts = artefact.facts
    return ProbeResult(network=stage.about["network"], target=f"{stage.about['target']}, fine-tuned",
                       seed=stage.about["seed"], metrics=_metrics(facts), strength=None, method=FINE_TUNING,
                       num_test_rows=facts["num_test_rows"], num_invalid_rows=facts["num_bad_rows"],
                       num_unlabelled_rows=facts["num_rows"] - facts["num_bad_rows"] - facts["num_test_rows"])


# By kind of stage. A fine-tuned network's own training is no network of the tables.
_PROBES = {"probe": _probe, "score": _finetuned}
_TRAININGS = ("pretrain", "train_cf")


def _curve(stage: Stage, artefact: Artefact) -> TrainingCurve:
    lines = read_journal(artefact.file(METRICS))
    return TrainingCurve(network=stage.about["network"], seed=stage.about["seed"],
                         samples=[line["samples"] for line in lines], loss=[line["loss"] for line in lines],
                         accuracy=[line["accuracy"] for line in lines],
                         final_label_accuracy=artefact.facts["label_accuracy"])


def _clusters(parts: Parts) -> list[ClusterSummary]:
    facts_of = {stage.fingerprint: artefact.facts for stage, artefact in parts}
    summaries = []
    for network, stage, artefact in _labellings(parts):
        facts, fit = artefact.facts, facts_of[stage.inputs["kmeans"].fingerprint]
        own = json.loads(artefact.file("clusters.json").read_text())["sizes"]
        sizes = np.asarray(own + [0] * facts["num_empty"], dtype=np.int64)
        summaries.append(ClusterSummary(seed=stage.about["seed"], num_clusters=len(sizes), sizes=sizes,
                                        network=network, objective=fit["objective"], share_moved=fit["share_moved"],
                                        share_of_points=fit["share_of_points"],
                                        num_empty=facts["num_empty"], scores=facts["scores"]))
    return summaries


def _labellings(parts: Parts) -> list[tuple[str, Stage, Artefact]]:
    """Pseudo-labels under the network that learns them, those of one network together."""
    learners = _learners([stage for stage, _ in parts])
    found = [(learners.get(stage.fingerprint, stage.about["network"]), stage, artefact) for stage, artefact in parts
             if stage.name == "assign"]
    order = list(dict.fromkeys(network for network, _, _ in found))
    return sorted(found, key=lambda one: order.index(one[0]))


def _learners(stages: Sequence[Stage]) -> dict[str, str]:
    """fingerprint of pseudo-labels -> the network that learns them, and no others beside them."""
    return {given.fingerprint: stage.about["network"] for stage in stages if stage.name == "train_cf"
            for name, given in stage.inputs.items() if name == "labels"}


def _failures(stage: Stage, artefact: Artefact) -> list[FailureLine]:
    if failure_file.FILE_NAME not in artefact.manifest["files"]:
        return []
    return [FailureLine(dataset=stage.role, row=int(line["row"]), path=line["path"], status=line["status"],
                        cause=line["cause"], index=stage.keys.get("index", ""))
            for line in failure_file.read_failures(artefact.folder)]


def _line(stage: Stage, artefact: Artefact, statuses: Mapping[str, str]) -> StageLine:
    return StageLine(stage=stage.name, role=stage.role, fingerprint=stage.fingerprint,
                     seconds=artefact.manifest["seconds"], status=statuses.get(stage.fingerprint, "reused"),
                     rows=artefact.facts.get("num_rows"))


def contact_sheets(labels: PseudoLabels, seed: int, network: str, *, modality: Modality, index: Index, reading: Reading,
                   ) -> list[ContactSheet]:
    """The nearest members of a few clusters, from the largest to the smallest."""
    sheets, sizes = [], labels.sizes()
    for cluster in pick_clusters(sizes, _NUM_SHEETS):
        members = np.flatnonzero(labels.labels == cluster)
        nearest = members[np.argsort(labels.distances[members], kind="stable")][:_PICTURES_PER_SHEET]
        pictures = list(modality.thumbnails(index, nearest, height_px=_PICTURE_HEIGHT_PX, reading=reading))
        captions = [_caption(index, int(row)) for row in nearest]
        sheets.append(ContactSheet(seed=seed, cluster=cluster, size=int(sizes[cluster]), pictures=pictures,
                                   captions=captions, distances=np.sqrt(labels.distances[nearest]).tolist(),
                                   network=network))
    return sheets


def _caption(index: Index, row: int) -> str:
    tags = ", ".join(index.label_names[label] for label in index.labels_of(row))
    return f"{index.name_of(row)} {tags}".strip()


def run_report(work: Workspace, *, stages: Sequence[Stage], cover: Cover, statuses: Mapping[str, str],
               modality: Modality, d_cf: Index, reading: Reading) -> Mapping[str, Any]:
    """Write report.html, its table and its figures; pictures are of the clusters that `shown` picks, first seed."""
    from cfvideo.core.report.page import render

    parts = [(stage, work.inputs[stage.fingerprint]) for stage in stages]
    data = collect(parts, cover, statuses)
    for summary in shown(data)[:1]:
        artefact = next(artefact for network, stage, artefact in _labellings(parts)
                        if (network, stage.about["seed"]) == (summary.network, summary.seed))
        labels = PseudoLabels.load(artefact.file(LABELS), index_hash=d_cf.content_hash)
        data = replace(data, sheets=contact_sheets(labels, summary.seed, summary.network, modality=modality,
                                                   index=d_cf, reading=reading))
    render(data, work.folder)
    return {"num_probes": len(data.probes)}
