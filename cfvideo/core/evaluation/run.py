"""One evaluation: the stages of a run that judge a network, on their own, and what they found out.

Stages are looked up and published as in a run, so that the same command resumes, and another question to the same
network on the same data re-uses its features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch

from cfvideo.core.config import load_run_spec
from cfvideo.core.datasets import DataSets, with_known_bad
from cfvideo.core.device import pick_device, resolved_threads
from cfvideo.core.distributed import current, first_only, joined
from cfvideo.core.errors import ConfigError
from cfvideo.core.evaluation.classes import in_own_classes, require_classifier
from cfvideo.core.evaluation.request import Request
from cfvideo.core.evaluation.tables import figures_table, low_shot_table, publish, worst_classes
from cfvideo.core.execute import check_same_plan, execute
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.lock import output_lock
from cfvideo.core.pipeline.context import Context
from cfvideo.core.pipeline.imported import Imported, imported
from cfvideo.core.pipeline.training import pretrain_stage
from cfvideo.core.pipeline.transfer import score_stage, transfer_stages
from cfvideo.core.records import Modality
from cfvideo.core.report.console import red_box
from cfvideo.core.report.low_shot import WARNING
from cfvideo.core.screen import Screen
from cfvideo.core.specs import RunSpec
from cfvideo.core.stage import Stage
from cfvideo.core.store import Store
from cfvideo.core.transfer.low_shot import CHOSEN_ON_TEST
from cfvideo.core.transfer.tables import CLASSES, CONFUSIONS

_NETWORK, _TARGET = "n_pre", "TEST"


def evaluate(modality: Modality, request: Request) -> int:
    """Do it; results lie in request.out, finished stages below it. Returns the exit code or raises a CfError."""
    stop = StopRequest()
    with stop.installed(), joined():
        screen, spec = Screen(quiet=not current().is_first), _spec(modality, request)
        torch.set_num_threads(resolved_threads(spec.system.threads))
        context, stages = _stages(modality, request, spec, screen)
        check_same_plan(stages)
        store = Store(request.out)
        with output_lock(store.root) if current().is_first else nullcontext():
            stop.at_once = False
            with first_only() as mine:
                if mine:
                    context.data.save(store.root / "indexes")
            execute(stages, store, screen=screen, stop=stop, statuses={}, max_bad_share=spec.data.max_bad_share)
            if current().is_first:
                _conclude(stages, store, context, screen)
    return 0


def _spec(modality: Modality, request: Request) -> RunSpec:
    """The overrides on the defaults. The data sets are the request's: paths are asked for by every config and read by
    nobody here."""
    words = ["MODALITY", modality.name, "D_PRE.PATH", "none"]
    if request.train is not None:
        words += [f"D_TAR.{_TARGET}.TRAIN", "none", f"D_TAR.{_TARGET}.TEST", "none"]
    spec = load_run_spec([], [*request.overrides, *words])
    if len(spec.seeds) > 1:
        raise ConfigError(f"SEEDS {list(spec.seeds)}: one network is judged once; give one seed")
    return replace(spec, n_pre=replace(spec.n_pre, weights=str(request.weights)))


def _stages(modality: Modality, request: Request, spec: RunSpec, screen: Screen) -> tuple[Context, list[Stage]]:
    """The network as a stage of its own, then what judges it."""
    given = imported(spec.n_pre.weights, "--weights")
    device = pick_device(spec.system.device)
    if request.data is not None:
        context = Context(spec, modality, _own_classes(modality, request, given, spec, screen), device)
        network, index = pretrain_stage(context, spec.seeds[0], _NETWORK), context.data.d_pre
        return context, [network, score_stage(context, _NETWORK, network, index)]
    assert request.train is not None
    assert request.test is not None
    train = request.read(modality, request.train, None)
    test = request.read(modality, request.test, train.label_names)
    context = Context(spec, modality, _known(DataSets(train, train, {_TARGET: (train, test)}), spec), device)
    network = pretrain_stage(context, spec.seeds[0], _NETWORK)
    return context, [network, *transfer_stages(context, spec.seeds[0], _NETWORK, network, _TARGET)]


def _known(data: DataSets, spec: RunSpec) -> DataSets:
    data = with_known_bad(data, spec.data.status)
    data.require()
    return data


def _own_classes(modality: Modality, request: Request, given: Imported, spec: RunSpec, screen: Screen) -> DataSets:
    """The one data set, its labels being the network's classes. Rows known to be bad stay those that they were."""
    assert request.data is not None
    require_classifier(given)
    index = request.read(modality, request.data, request.names)
    bad = _known(DataSets(index, index, {}), spec).known_bad.get(index.content_hash)
    own = in_own_classes(given, index, request.names, screen)
    return DataSets(own, own, {}, known_bad={} if bad is None else {own.content_hash: bad})


def _conclude(stages: Sequence[Stage], store: Store, context: Context, screen: Screen) -> None:
    """Publish what the last stage found, and show it."""
    artefact = store.need(stages[-1])
    classes, confusion = (json.loads(artefact.file(name).read_text()) for name in (CLASSES, CONFUSIONS))
    facts: dict[str, Any] = dict(artefact.facts)
    if "method" in facts:
        classes, confusion = (table[facts["method"]][facts["layer"]] for table in (classes, confusion))
    given = context.imported(_NETWORK)
    assert given is not None
    judged = context.data.targets.get(_TARGET)
    indexes = {"data": context.data.d_pre} if judged is None else dict(zip(("train", "test"), judged, strict=True))
    facts |= {"weights": str(given.path), "weights_sha256": given.digest, "stage": str(artefact.folder),
              "data": {name: index.content_hash for name, index in indexes.items()}}
    files = publish(store.root, facts, classes, confusion)
    screen.console.print(figures_table(facts))
    if few := low_shot_table(facts):
        screen.console.print(few)
    if any(found["chosen_on"] == CHOSEN_ON_TEST for found in facts.get("results", {}).get("low_shot", {}).values()):
        screen.console.print(red_box(WARNING))
    screen.console.print(worst_classes(classes))
    screen.say("Written: " + ", ".join(str(file) for file in files))
