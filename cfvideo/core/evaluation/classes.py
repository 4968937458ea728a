"""Which of a network's own classes a data set's labels are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cfvideo.core.errors import DataError
from cfvideo.core.index import Index
from cfvideo.core.index_columns import ids_of
from cfvideo.core.pipeline.imported import Imported
from cfvideo.core.screen import Screen

_MOST_NAMED = 8
_WAY_OUT = "judge its features with --train and --test"


def require_classifier(network: Imported) -> None:
    """DataError where a network tells no classes apart."""
    task = network.architecture.get("task", "labels")
    if not network.num_classes or task != "labels":
        has = "has features but no classifier" if task == "labels" else f"learned the pretext task {task}"
        raise DataError(f"{network.path}: {has}, so it has no classes to score; {_WAY_OUT}")


def in_own_classes(network: Imported, index: Index, given: Sequence[str] | None, screen: Screen) -> Index:
    """The rows of `index` with their labels as numbers of the network's classes; every class of the network is there.

    Labels are matched by name: the weights' own names, or else `given`, the network's classes in order as the user has
    them. Where neither says, the data's labels are taken to be the classes in their order, and the screen tells so.

    Raises:
        DataError: no row has a label, the network has another number of classes, or it lacks some that rows have.
    """
    if not index.num_labelled:
        raise DataError(f"{index.root}: no row of the data has a label, so nothing says what is right; --data takes "
                        "formats with labels, such as kinetics")
    # What names the data's labels in the network's own words leaves the network its order; other words replace them.
    renamed = given is not None and not set(given) <= set(network.class_names)
    names = tuple(given or ()) if renamed else network.class_names
    by_order = not names
    names = names or index.label_names
    if len(names) != network.num_classes:
        raise DataError(f"{network.path} tells {network.num_classes} classes apart, but "
                        f"{'--labels names' if renamed else 'the data has'} {len(names)}; give the network's own "
                        f"classes in their order with --labels, or {_WAY_OUT}")
    if by_order:
        screen.say(f"The weights do not name their classes: the network's {len(names)} are taken to be the data's, in "
                   f"the same order ({names[0]}, ...); --labels says otherwise")
    return _matched(network, index, names)


def _matched(network: Imported, index: Index, names: tuple[str, ...]) -> Index:
    own = ids_of(names)
    new_ids = np.array([own.get(name, -1) for name in index.label_names], np.int32)
    num_rows = np.bincount(index.labels_csr()[1], minlength=len(new_ids))
    unknown = [index.label_names[label] for label in np.flatnonzero((new_ids < 0) & (num_rows > 0))]
    if unknown:
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        raise DataError(f"{network.path}: does not know {len(unknown)} of the data's classes: "
                        f"{', '.join(map(repr, unknown[:_MOST_NAMED]))}{more}; its {len(names)} are "
                        f"{', '.join(map(repr, names[:_MOST_NAMED]))}{', ...' if len(names) > _MOST_NAMED else ''}. "
                        "Call the data's as the network does (lists of numbers: by --labels), leave the others out, or "
                        + _WAY_OUT)
    return index if names == index.label_names else index.relabelled(new_ids, names)
