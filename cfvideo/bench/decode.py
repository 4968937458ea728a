"""Decoding timed: all methods on the same clips, interleaved in random order, ratios paired within a round.

What is timed is the processor time of the whole process, all its threads: on one core with the files in memory it is
the time that passes, but for what other processes take away.
"""

from __future__ import annotations

import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from cfvideo.bench.decode_methods import CLIP_FRAMES, METHODS, RIVALS, Method, Task, extraction_starts, why_not
from cfvideo.bench.sources import Source, make

WORKLOADS = ("extract", "train")
GROUPS = ("K250", "K12", "S")
_PACKAGES = ("av", "decord", "pytorchvideo", "torchcodec", "torch", "torchvision", "numpy")
_GOLDEN = 0.6180339887498949  # successive multiples fill [0, 1) evenly


@dataclass
class Timings:
    """seconds[workload, method][group]: one value per round and video of the group, in the same order for all."""

    seconds: dict[tuple[str, str], dict[str, list[float]]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, workload: str, method: str, group: str, seconds: float) -> None:
        self.seconds.setdefault((workload, method), defaultdict(list))[group].append(seconds)

    def ratios(self, workload: str, slow: str, fast: str) -> dict[str, float]:
        """Group -> median over rounds and videos of time(slow) / time(fast)."""
        above, below = self.seconds.get((workload, slow), {}), self.seconds.get((workload, fast), {})
        return {group: float(np.median(np.divide(above[group], below[group]))) for group in above if group in below}


def tasks_of(source: Source, path: Path, workload: str, round_number: int, packets: Path) -> Task:
    """What one round reads of one video; random clips are spread evenly over rounds and equal for all methods."""
    num_frames = source.num_frames * source.repeats
    if workload == "extract":
        starts: Sequence[int] = extraction_starts(num_frames)
    else:
        place = (source.seed + 1) * _GOLDEN * _GOLDEN + round_number * _GOLDEN
        starts = [int(place % 1 * max(1, num_frames - CLIP_FRAMES + 1))]
    return Task(path, starts, num_frames, packets)


def measure(sources: Sequence[Source], folder: Path, *, num_rounds: int, seed: int = 0,
            methods: Sequence[str] = tuple(METHODS), progress: Callable[[str], None] = lambda text: None) -> Timings:
    """Time every method on every video, `num_rounds` times, on the thread and core that it is called on.

    folder: where the videos are made, or found from an earlier run.
    """
    timings, packets = Timings(), folder / "packets"
    paths = {}
    for source in sources:
        progress(f"video {source.name}")
        paths[source] = make(source, folder)
    runnable = _runnable(sources, paths, packets, methods, timings)
    rng = np.random.default_rng([seed])
    for number in range(num_rounds):
        for source, path in paths.items():
            progress(f"round {number + 1} of {num_rounds}: {source.name}")
            for workload in WORKLOADS:
                task = tasks_of(source, path, workload, number, packets)
                for i in rng.permutation(len(runnable)):
                    timings.add(workload, runnable[i], source.group, _seconds(METHODS[runnable[i]], task))
    return timings


def _runnable(sources: Sequence[Source], paths: dict[Source, Path], packets: Path, methods: Sequence[str],
              timings: Timings) -> list[str]:
    """Methods that work here. Trying them also fills the page cache, and the packet indexes, once."""
    for source in sources:
        for method in methods:
            reason = why_not(method, tasks_of(source, paths[source], "train", 0, packets))
            if reason is not None:
                timings.reasons.setdefault(method, reason)
    return [method for method in methods if method not in timings.reasons]


def _seconds(method: Method, task: Task) -> float:
    start = time.process_time()
    method(task)
    return time.process_time() - start


def summary(timings: Timings, num_rounds: int) -> dict[str, Any]:
    """What the JSON holds. `*_vs_X`: time of X over ours; `*_over_floor`: ours over the floor; None with a reason."""
    keys: dict[str, float | None] = {}
    groups: dict[str, dict[str, float]] = {}
    reasons: dict[str, str] = {}
    for workload in WORKLOADS:
        pairs = {f"{workload}_vs_{rival}": (rival, "ours") for rival in RIVALS}
        pairs[f"{workload}_over_floor"] = ("ours", "floor")
        for key, (slow, fast) in pairs.items():
            groups[key] = timings.ratios(workload, slow, fast)
            keys[key] = float(np.exp(np.mean(np.log(list(groups[key].values()))))) if groups[key] else None
            if keys[key] is None:
                reasons[key] = timings.reasons.get(slow) or timings.reasons.get(fast) or "not asked for"
    milliseconds = {f"{workload}_{method}": {group: round(1000 * float(np.median(values)), 2)
                                             for group, values in by_group.items()}
                    for (workload, method), by_group in timings.seconds.items()}
    return {**keys, "reasons": reasons, "groups": groups, "median_ms_per_video": milliseconds, "rounds": num_rounds,
            "machine": machine(), "versions": versions()}


def machine() -> dict[str, Any]:
    """The processor by its own name, and how many cores this process may use."""
    names = [line.split(":", 1)[1].strip() for line in _lines_of("/proc/cpuinfo") if line.startswith("model name")]
    return {"processor": names[0] if names else platform.processor() or platform.machine(),
            "cores_used": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
            "system": platform.platform()}


def _lines_of(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def one_core() -> None:
    """Bind this process, and every thread it starts, to one core; keep torch to one thread."""
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
