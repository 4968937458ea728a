"""From a run's config and its finished stages to the page."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from cfvideo.core.config import load_run_spec
from cfvideo.core.datasets import DataSets, open_datasets
from cfvideo.core.device import pick_device
from cfvideo.core.durable import write_bytes
from cfvideo.core.errors import ConfigError, DataError
from cfvideo.core.inspection.choice import choose_clusters
from cfvideo.core.inspection.clips import HEIGHT_PX, MAX_FRAMES
from cfvideo.core.inspection.gather import Sheet, sheet_of
from cfvideo.core.inspection.numbers import ClusterNumbers, cluster_numbers
from cfvideo.core.inspection.page import Page, page_html
from cfvideo.core.inspection.request import Request
from cfvideo.core.inspection.source import Source, open_source
from cfvideo.core.pipeline import Pipeline
from cfvideo.core.pipeline.context import Context
from cfvideo.core.records import Modality
from cfvideo.core.screen import Screen
from cfvideo.core.stages.report import Cover
from cfvideo.core.store import Store


def inspect(modality: Modality, request: Request, *, command: str) -> Path:
    """Write the page and return its path; finished stages are only read."""
    if request.page and not request.page.parent.is_dir():
        raise ConfigError(f"--out: the folder {request.page.parent} does not exist")
    screen, spec = Screen(), load_run_spec(request.files, request.overrides)
    data = open_datasets(spec, modality, screen)
    _need_media(data)
    seed = spec.seeds[0] if request.seed is None else request.seed
    pipeline = Pipeline(spec, modality, data, pick_device(spec.system.device), Cover("", "", "", ""))
    store = Store(Path(spec.output_dir))
    source = open_source(request, pipeline.stages(), seed, store, data.d_cf)
    numbers = cluster_numbers(source.labels, pipeline.context.labels("d_cf", seed))
    chosen = choose_clusters(numbers, order=request.order, count=request.num_clusters, named=request.clusters)
    sheets = _sheets(chosen, source, numbers, pipeline.context, seed, screen)
    html = page_html(Page(spec.name, seed, "" if request.clusters else request.order, command, source, numbers, sheets))
    page = request.page or store.root / f"clusters-{re.sub('[^A-Za-z0-9_]+', '-', source.role)}.html"
    write_bytes(page, html.encode("utf-8"))
    screen.say(f"Clusters: {page} ({len(html) / 1e6:.1f} MB)")
    return page


def _need_media(data: DataSets) -> None:
    """Only D_cf's media are looked at; labels of other data sets may be gone."""
    if not data.d_cf.num_rows:
        raise DataError("\n".join(data.missing))


def _sheets(chosen: list[int], source: Source, numbers: ClusterNumbers, context: Context, seed: int, screen: Screen,
            ) -> list[Sheet]:
    """Pictures are frames of what N_PRE is fed."""
    index, view = context.data.d_cf, context.view("n_pre")
    decode = partial(context.modality.previews, index, view=view, num_frames=MAX_FRAMES, height_px=HEIGHT_PX,
                     reading=context.reading)
    sheets = []
    with screen.task("looking at members", len(chosen), "clusters") as task:
        for cluster in chosen:
            sheets.append(sheet_of(cluster, source.labels, numbers, index, seed=seed, decode=decode))
            task.advance(1)
    return sheets
