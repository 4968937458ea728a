"""Whether N_pre can teach N_cf's architecture by distillation: found out at planning time, from the two's facts."""

from __future__ import annotations

from collections.abc import Sequence

from cfvideo.core.pipeline.context import Context
from cfvideo.core.specs import GEOMETRY
from cfvideo.core.training.teacher import first_difference

_STUDENT = "distillation"


def why_no_teacher(context: Context) -> str:
    """What keeps N_pre from teaching on D_cf, with the keys; "" where nothing does.

    One set of samples serves both, so both must cut them alike; how they are normalised may differ. Labels of a data
    set that is not here yet are taken to be right.
    """
    return _other_task(context) or _other_samples(context) or _other_labels(context)


def _other_task(context: Context) -> str:
    task = context.architecture("n_pre").get("task", "labels")
    return "" if task == "labels" else (f"N_pre learned the pretext task {task}, whose outputs say nothing of an "
                                        "untouched picture (paper, appendix D)")


def _other_samples(context: Context) -> str:
    own, given = context.view("n_pre"), context.view(_STUDENT)
    whose = "N_PRE.WEIGHTS's {}" if context.imported("n_pre") else "N_PRE.CLIP.{}"
    differing = [f"{whose.format(name.upper())} is {own[name]} and N_CF.CLIP.{name.upper()} {given[name]}"
                 for name in GEOMETRY[context.spec.modality] if own[name] != given[name]]
    return f"N_pre would be fed its student's samples, but {', '.join(differing)}" if differing else ""


def _other_labels(context: Context) -> str:
    data, given = context.data, context.imported("n_pre")
    if data.d_cf.num_rows == 0 or (given is None and data.d_pre.num_rows == 0):
        return ""
    wanted = data.d_cf.label_names
    if given is None:
        return _other_names(data.d_pre.label_names, wanted)
    if given.num_classes != len(wanted) and not given.class_names:
        return f"N_pre tells {given.num_classes} classes apart (N_PRE.WEIGHTS) and D_cf has {len(wanted)} labels"
    return _other_names(given.class_names or wanted, wanted)


def _other_names(known: Sequence[str], wanted: Sequence[str]) -> str:
    place = first_difference(known, wanted)
    if place is None:
        return ""
    one, other = (repr(names[place]) if place < len(names) else "none" for names in (known, wanted))
    return (f"N_pre's {len(known)} classes are not D_cf's {len(wanted)} labels: number {place} is {one} of N_pre's and "
            f"{other} of D_cf's")
