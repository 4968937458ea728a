"""What a SOLVER adds to the fingerprint of a training, and what of it cannot be done here."""

from __future__ import annotations

from typing import Any

from cfvideo.core.config import flatten
from cfvideo.core.distributed import current
from cfvideo.core.errors import ConfigError
from cfvideo.core.pipeline.context import Context
from cfvideo.core.specs import SolverSpec
from cfvideo.core.training.parts import largest_part, largest_parts, part_sizes
from cfvideo.core.training.precision import check_precision

# Keys of a solver that one schedule alone listens to.
_HEARD_BY = {"NUM_HALVINGS": "halving", "STEPS": "step", "STEP_FACTOR": "step"}


def solver_keys(context: Context, name: str, solver: SolverSpec, key: str, factor: int = 1, *,
                whole: bool = False) -> dict[str, Any]:
    """Keys of the training of network `name` by `solver`, whose keys begin with `key`, `factor` times as long.
    whole: on whole samples, whatever its own task.

    What one batch norm sees decides a result, how many processes share a step does not: in place of MICRO_BATCH_SIZE
    stand the largest parts of a whole step and of the last, which say how both are cut. A key that the schedule does
    not listen to is left out.

    Raises:
        ConfigError: the number format is not to be had here, or a part is too small for the network's batch norms.
    """
    check_precision(solver.precision, context.device, f"{key}.PRECISION")
    samples, batch = factor * solver.max_samples, solver.batch_size
    largest = batch if solver.sync_batch_norm else largest_part(batch, solver.micro_batch_size, current().size)
    if min(part_sizes(batch, largest)) < context.fewest_items(name, whole=whole):
        larger = "" if context.imported(name) else f"; or make {context.key(name)}.CLIP larger"
        raise ConfigError(_too_small(context.key(name), solver, key) + larger)
    keys = {**flatten(solver, key, neutral=False), f"{key}.MAX_SAMPLES": samples,
            f"{key}.MICRO_BATCH_SIZE": largest_parts(samples, batch, largest)}
    return {word: value for word, value in keys.items() if word.removeprefix(f"{key}.") not in _unheard(solver)}


def _unheard(solver: SolverSpec) -> set[str]:
    unheard = {word for word, schedule in _HEARD_BY.items() if schedule != solver.schedule}
    return unheard if solver.warmup_samples else {*unheard, "WARMUP_FROM"}


def _too_small(network: str, solver: SolverSpec, key: str) -> str:
    micro, batch, size = f"{key}.MICRO_BATCH_SIZE", f"{key}.BATCH_SIZE", current().size
    how = f"on {size} processes" if size > 1 else "at once"
    mended = f"set {batch} to an even number from {2 * size} on" + (", or use fewer processes" if size > 1 else "")
    if solver.micro_batch_size:
        how = f"in parts of {micro} {solver.micro_batch_size}"
        mended = f"set {micro} to 3 or more, or to 2 where {batch} is even"
    return (f"{batch} {solver.batch_size} {how} leaves a single sample to a batch norm of {network} whose map has one "
            f"pixel, which is nothing to normalise by: {mended}")
