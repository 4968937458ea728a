#!/usr/bin/env python3
"""Look at the clusters of a finished run: one self-contained page with contact sheets.

    tools/inspect_clusters.py --cfg configs/demo.yaml
    tools/inspect_clusters.py --cfg configs/demo.yaml --seed 1 --by purity
    tools/inspect_clusters.py --cfg configs/demo.yaml --clusters 3,17
    tools/inspect_clusters.py --cfg configs/demo.yaml --assign runs/demo/stages/assign/FINGERPRINT

The config files (and KEY VALUE pairs) are those of the run: they say where its results and its media lie. The page goes
to OUTPUT_DIR, nothing else is written.

Exit codes: 0 done, 2 command line or config, 3 data missing, 6 the labels are not finished, damaged or of other data.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

# As in tools/run_net.py: threads that wait leave the cores to the decoders.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from cfvideo.core.config import files_and_pairs, load_run_spec
from cfvideo.core.errors import ConfigError, exit_code_of
from cfvideo.core.inspection.request import MAX_CLUSTERS, ORDERS, Request
from cfvideo.core.inspection.run import inspect
from cfvideo.modalities import modality_named


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", nargs="+", default=[], metavar="FILE", help="the run's config files")
    parser.add_argument("--seed", type=int, help="which of SEEDS (default: the first)")
    parser.add_argument("--labels", default="n_cf", metavar="NAME", help="whose clusters: n_cf, n_cf_NAME of a "
                        "MORE_N_PRE, prototypes, n_pre_fit1 of a consensus ... (default: %(default)s)")
    parser.add_argument("--assign", type=Path, metavar="FOLDER", help="a finished assign stage, instead of --labels: "
                        "for a run of another machine or an earlier config")
    parser.add_argument("--by", choices=ORDERS, default="size", help="choose clusters evenly along this (default: "
                        "%(default)s)")
    parser.add_argument("--num-clusters", type=int, default=12, metavar="N", help=f"how many, up to {MAX_CLUSTERS} "
                        "(default: %(default)s)")
    parser.add_argument("--clusters", default="", metavar="A,B", help="these clusters instead")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page (default: OUTPUT_DIR/clusters-....html)")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="the run's config keys, as for run_net.py")
    given = parser.parse_intermixed_args(arguments)
    given.cfg, pairs = files_and_pairs(given.cfg)
    given.overrides = pairs + given.overrides
    return given


def request_of(given: argparse.Namespace) -> Request:
    try:
        clusters = tuple(int(word) for word in given.clusters.split(",") if word)
    except ValueError as error:
        raise ConfigError(f"--clusters: {given.clusters} is no list of numbers such as 3,17") from error
    return Request(files=given.cfg, overrides=given.overrides, seed=given.seed, network=given.labels,
                   folder=given.assign, order=given.by, num_clusters=given.num_clusters, clusters=clusters,
                   page=given.out)


def main(arguments: list[str]) -> int:
    given = parse(arguments)

    def work() -> None:
        request = request_of(given)
        modality = modality_named(load_run_spec(request.files, request.overrides).modality)
        inspect(modality, request, command=shlex.join(["python", "tools/inspect_clusters.py", *arguments]))

    return exit_code_of(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
