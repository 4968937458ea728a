"""What a result says in JSON: a line of figures, a table of classes, who is taken for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cfvideo.core.metrics import Tally, mean_of_known
from cfvideo.core.transfer.choice import Outcome

# The files of a stage that counts right answers.
FIGURES, CLASSES, CONFUSIONS = "probe.json", "classes.json", "confusions.json"


def counted(tally: Tally) -> dict[str, float]:
    """Shares of test rows; top1 and top5 are hit@1 and hit@5 where rows have several labels."""
    return {"top1": tally.hit_share(1), "top5": tally.hit_share(5), "mean_class": tally.mean_class_share()}


def figures(outcome: Outcome) -> dict[str, Any]:
    """All that one outcome says in numbers.

    strength: the first hyper-parameter (inverse penalty, learning rate, neighbours, cost), which the report shows.
    map: mean over classes of the integral average precision; map_11_point: of VOC2007's.
    """
    out = {**counted(outcome.tally), "holdout": outcome.holdout, "num_unconverged": outcome.num_unconverged,
           "strength": next(iter(outcome.setting.values())), "setting": dict(outcome.setting), **outcome.more}
    if outcome.integral is not None and outcome.eleven_points is not None:
        out |= {"map": mean_of_known(outcome.integral), "map_11_point": mean_of_known(outcome.eleven_points)}
    return out


def class_table(tally: Tally, names: Sequence[str], outcome: Outcome | None = None) -> list[dict[str, Any]]:
    """A line per class: name, test rows, accuracy among them (None where there is no row), average precision."""
    lines: list[dict[str, Any]] = []
    for label, (name, share) in enumerate(zip(names, tally.class_shares(), strict=True)):
        num_rows = int(tally.class_rows[label])
        lines.append({"class": name, "num_rows": num_rows, "accuracy": float(share) if num_rows else None})
        if outcome is not None and outcome.integral is not None and outcome.eleven_points is not None:
            lines[-1] |= {"average_precision": float(outcome.integral[label]) if num_rows else None,
                          "average_precision_11_point": float(outcome.eleven_points[label]) if num_rows else None}
    return lines


def confusion_table(tally: Tally) -> list[list[int]]:
    """[true class, guessed class, rows] wherever there are rows, in the classes' order; -1: nothing was guessed."""
    return [[true, guess, num_rows] for (true, guess), num_rows in sorted(tally.confusion.items())]
