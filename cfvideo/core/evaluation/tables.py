"""What an evaluation leaves and shows: figures, a table of classes, the confusion matrix as numbers and as a picture.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from cfvideo.core.durable import write_bytes, write_json
from cfvideo.core.report.protocol import in_words, method_name
from cfvideo.core.report.style import LIGHT, Palette, draw, short_name
from cfvideo.core.report.text import percent, visible

# More classes than this share cells of the picture.
_MOST_CELLS = 500
# Up to so many classes are named beside it.
_MOST_NAMES = 20
_MOST_LINES = 15
_SHOWN = {"top1": "top-1", "top5": "top-5", "mean_class": "mean of classes", "map": "mAP (integral)",
          "map_11_point": "mAP (11 points)", "holdout": "held-out training rows"}

ClassLines = Sequence[Mapping[str, Any]]
Confusion = Sequence[Sequence[int]]


def publish(folder: Path, facts: Mapping[str, Any], classes: ClassLines, confusion: Confusion) -> list[Path]:
    """Write evaluation.json, classes.csv, confusion.json ([true, guessed, rows], -1: no guess) and confusion.png."""
    files = [folder / name for name in ("evaluation.json", "classes.csv", "confusion.json", "confusion.png")]
    names = [line["class"] for line in classes]
    write_json(files[0], facts)
    write_bytes(files[1], _csv(classes).encode())
    write_json(files[2], {"classes": names, "rows": confusion})
    write_bytes(files[3], draw(LIGHT, partial(_paint, names=names, confusion=confusion)))
    return files


def _csv(lines: ClassLines) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def shares(confusion: Confusion, num_classes: int) -> NDArray[np.float64]:
    """[cells, cells], true by guessed: share of the true cell's rows; neighbouring classes share a cell beyond 500."""
    cells = min(num_classes, _MOST_CELLS)
    counts = np.zeros((cells, cells))
    totals = np.zeros((cells, 1))
    for true, guess, rows in confusion:
        totals[true * cells // num_classes] += rows
        if guess >= 0:
            counts[true * cells // num_classes, guess * cells // num_classes] += rows
    return counts / np.maximum(totals, 1)


def _paint(axes: Axes, palette: Palette, *, names: Sequence[str], confusion: Confusion) -> None:
    image = axes.imshow(100 * shares(confusion, len(names)), vmin=0, vmax=100, cmap="Blues", interpolation="nearest")
    axes.grid(visible=False)
    axes.set_xlabel("guessed class")
    axes.set_ylabel("true class")
    if len(names) <= _MOST_NAMES:
        places, shown = range(len(names)), [short_name(name) for name in names]
        axes.set_xticks(places, shown, rotation=90, fontsize=6)
        axes.set_yticks(places, shown, fontsize=6)
    axes.figure.colorbar(image, ax=axes, label="% of the class's rows")


def figures_table(facts: Mapping[str, Any]) -> Table:
    """The figures in per cent; of several yardsticks or layers each in a row."""
    results = [(f"{method_name(method)}, {layer}", one) for method, layers in facts.get("results", {}).items()
               for layer, one in layers.items() if "top1" in one]
    results = results or [("the network's own classifier", facts)]
    names = [name for name in _SHOWN if name in results[0][1]]
    table = Table("%", *(_SHOWN[name] for name in names), title=f"{facts['num_test_rows']:,} test rows",
                  title_justify="left")
    for title, one in results:
        table.add_row(title, *(percent(one[name]) if name in one else "-" for name in names))
    table.caption = "; ".join(in_words(facts.get("protocol", {}))) or None
    return table


def low_shot_table(facts: Mapping[str, Any]) -> Table | None:
    """mAP of SVMs from a few rows per class, by layer; None where none were asked for."""
    layers = facts.get("results", {}).get("low_shot", {})
    if not layers:
        return None
    shots = sorted({int(k) for found in layers.values() for k in found["shots"]})
    table = Table("mAP, %", *(f"{k:,}" for k in shots), title="SVMs from so many rows per class", title_justify="left",
                  caption="mean ± standard deviation over the draws")
    for layer, found in layers.items():
        table.add_row(layer, *(f"{percent(one['mean'])} ± {percent(one['std'])}"
                               for one in (found["shots"][str(k)] for k in shots)))
    return table


def worst_classes(classes: ClassLines) -> Table:
    """The classes with rows, the worst first, and how many more there are."""
    lines = sorted((line for line in classes if line["num_rows"]), key=lambda line: float(line["accuracy"]))
    more = f"{len(lines) - _MOST_LINES:,} more in classes.csv" if len(lines) > _MOST_LINES else None
    table = Table("class", "rows", "accuracy, %", title="classes, the worst first", title_justify="left", caption=more)
    for line in lines[:_MOST_LINES]:
        table.add_row(Text(visible(line["class"])), f"{line['num_rows']:,}", percent(line["accuracy"]))
    return table
