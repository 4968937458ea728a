"""Measure what the README claims, on this machine.

    python tools/bench.py decode                            # ratios to other decoders, about five minutes
    python tools/bench.py decode --json decode.json --rounds 10
    python tools/bench.py kmeans                            # times relative to ours, about five minutes
    python tools/bench.py forward --json forward.json       # networks beside torchvision's, about two minutes
    python tools/bench.py train                             # a training step, likewise

`decode` makes its videos (once; `--folder` keeps them), binds itself to one core, runs all methods on the same clips
in random order and prints ratios of times paired within each round. `kmeans` does so with 30,000 x 512 features such as
a network's, K = 400 and 1,600, 30 iterations from the same centroids. `forward` and `train` run ours and
torchvision's networks with equal weights in turn, on one core or, where there is one, on a GPU. Exit codes: 0 done, 2
the command line is wrong, 3 the videos cannot be made.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cfvideo.bench import kmeans, networks
from cfvideo.bench.decode import GROUPS, measure, one_core, summary
from cfvideo.bench.sources import SOURCES, shortened
from cfvideo.core.device import pick_device
from cfvideo.core.durable import write_json
from cfvideo.core.errors import ConfigError, exit_code_of
from cfvideo.core.training.precision import check_precision


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    decode = commands.add_parser("decode", help="clips out of videos, on one core")
    decode.add_argument("--json", type=Path, help="write the figures to this file")
    decode.add_argument("--rounds", type=int, default=7, help="times each method runs on each video (%(default)s)")
    decode.add_argument("--folder", type=Path, help="keep the videos here (default: a temporary folder)")
    decode.add_argument("--frames", type=int, help="shorter, smaller videos of this many frames, to try it out")
    clusters = commands.add_parser("kmeans", help="k-means from the same centroids, on one core")
    clusters.add_argument("--json", type=Path, help="write the figures to this file")
    for name, default, what in (("rounds", 3, "times each method runs"), ("rows", 30_000, "points"),
                                ("dim", 512, "numbers per point"), ("iterations", 30, "iterations")):
        clusters.add_argument(f"--{name}", type=int, default=default, help=f"{what} (%(default)s)")
    clusters.add_argument("--sizes", type=int, nargs="+", default=kmeans.SIZES, help="K (%(default)s)")
    for name, what in (("forward", "forward passes"), ("train", "training steps")):
        nets = commands.add_parser(name, help=f"{what} of our networks and torchvision's, on one core or a GPU")
        nets.add_argument("--json", type=Path, help="write the figures to this file")
        nets.add_argument("--rounds", type=int, default=5, help="times each network runs (%(default)s)")
        nets.add_argument("--batch", type=int, default=1, help="samples per batch (%(default)s)")
        nets.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="(%(default)s)")
        nets.add_argument("--small", action="store_true", help="small pictures, to try it out")
    return parser.parse_args(argv)


def decode(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    if arguments.rounds < 1 or (arguments.frames is not None and arguments.frames < 1):
        raise ConfigError(f"--rounds {arguments.rounds}, --frames {arguments.frames}: both are 1 or more")
    sources = SOURCES if arguments.frames is None else tuple(shortened(one, arguments.frames) for one in SOURCES)
    one_core()
    with tempfile.TemporaryDirectory() as temporary, console.status("") as status:
        timings = measure(sources, arguments.folder or Path(temporary), num_rounds=arguments.rounds,
                          progress=status.update)
    return summary(timings, arguments.rounds)


def print_ratios(result: dict[str, Any], console: Console) -> None:
    table = Table("", *GROUPS, "mean", title="time of others / ours; over_floor: ours / decoding alone")
    for key, groups in result["groups"].items():
        cells = [f"{groups[group]:.2f}" if group in groups else "-" for group in GROUPS]
        mean = result[key]
        table.add_row(key, *cells, "-" if mean is None else f"{mean:.2f}")
    console.print(table)
    for key, reason in result["reasons"].items():
        console.print(f"{key}: not measured: {reason}", highlight=False, markup=False, soft_wrap=True)


def cluster(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    numbers = {"num_rows": arguments.rows, "dim": arguments.dim, "num_iterations": arguments.iterations}
    if min(arguments.rounds, *numbers.values(), *arguments.sizes) < 1 or max(arguments.sizes) > arguments.rows:
        raise ConfigError("--rounds, --rows, --dim, --iterations and --sizes are 1 or more, no K above --rows")
    one_core()
    with console.status("") as status:
        timings = kmeans.measure(**numbers, num_rounds=arguments.rounds, sizes=arguments.sizes, progress=status.update)
    return kmeans.summary(timings, **numbers)


def print_clusters(result: dict[str, Any], console: Console) -> None:
    table = Table("method", title="time over ours, share of the matrix-product peak, inertia over the least; peak MiB")
    sizes = list(result["inertia"])
    for size in sizes:
        table.add_column(f"K = {size}", justify="right")
    table.add_column("MiB", justify="right")
    for method, mib in result["peak_mib"].items():
        cells = [f"{result['time_over_ours'][size][method]:.2f}  {result['shares_of_peak'][size].get(method, 0):.2f}  "
                 f"{result['inertia'][size][method] / min(result['inertia'][size].values()):.4f}" for size in sizes]
        table.add_row(method, *cells, f"{mib:.0f}")
    console.print(table)
    for key, value in result.items():
        if isinstance(value, float):
            console.print(f"{key}: {value:.3f}", highlight=False)


def network(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    if arguments.rounds < 1 or arguments.batch < 1:
        raise ConfigError(f"--rounds {arguments.rounds}, --batch {arguments.batch}: both are 1 or more")
    device = pick_device("auto")
    check_precision(arguments.precision, device, "--precision")
    if device.type == "cpu":
        one_core()
    with console.status("") as status:
        return networks.measure(networks.cases(arguments.command, batch=arguments.batch, small=arguments.small),
                                num_rounds=arguments.rounds, device=device, precision=arguments.precision,
                                progress=status.update)


def print_networks(result: dict[str, Any], console: Console) -> None:
    table = Table("", "time of torchvision / ours", "samples/s", "GFLOP", "share of peak", "torchvision's share",
                  title=f"{result['device']}, {result['precision']}, peak {result['peak_gflops']} GFLOP/s")
    for key, case in result["cases"].items():
        table.add_row(key, f"{result[key]:.2f}", f"{case['samples_per_second']:.2f}", f"{case['gflop']:.1f}",
                      f"{case['share_of_peak']:.2f}", f"{case['share_of_peak_torchvision']:.2f}")
    console.print(table)


def bench(arguments: argparse.Namespace, console: Console) -> None:
    measure, show = {"decode": (decode, print_ratios), "kmeans": (cluster, print_clusters),
                     "forward": (network, print_networks), "train": (network, print_networks)}[arguments.command]
    result = measure(arguments, console)
    if arguments.json is not None:
        write_json(arguments.json, result)
    show(result, console)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    return exit_code_of(lambda: bench(arguments, Console()))


if __name__ == "__main__":
    sys.exit(main())
