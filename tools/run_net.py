#!/usr/bin/env python3
"""Run ClusterFit on video or images, from a config to a report.

    tools/run_net.py --cfg configs/demo.yaml
    tools/run_net.py --cfg configs/demo.yaml --dry-run CLUSTER.NUM_CLUSTERS 64
    torchrun --nproc-per-node 8 --max-restarts 3 tools/run_net.py --cfg configs/ig_verb.yaml

Exit codes: 0 finished, 2 config or command line, 3 data, 4 too many bad samples, 5 interrupted (the same command
resumes), 6 integrity.
"""

from __future__ import annotations

import argparse
import os
import sys

# OpenMP's threads spin while they wait. Where decoders, or other people, want the same cores, that cost a small
# network 19 times its time (two cores, load 5: 289 s against 15 s for 1,600 clips); asleep they cost next to nothing.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from cfvideo.core.cli import run
from cfvideo.core.config import files_and_pairs, help_text, load_run_spec
from cfvideo.core.errors import exit_code_of
from cfvideo.core.job import command_line
from cfvideo.core.pipeline import STAGE_NAMES
from cfvideo.modalities import modality_named


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", nargs="+", default=[], metavar="FILE", help="config files, later ones win")
    parser.add_argument("--stages", default="", metavar="a,b", help="run only these kinds of stages: "
                        f"{', '.join(STAGE_NAMES)}")
    parser.add_argument("--dry-run", action="store_true", help="print config, plan and cost; write nothing")
    parser.add_argument("--help-config", nargs="?", const="", metavar="PREFIX", help="explain every config key")
    parser.add_argument("--opts", action="store_true", help="may stand before KEY VALUE pairs")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="config keys to override")
    given = parser.parse_intermixed_args(arguments)
    given.cfg, pairs = files_and_pairs(given.cfg)
    given.overrides = pairs + given.overrides
    return given


def main(arguments: list[str]) -> int:
    given = parse(arguments)
    if given.help_config is not None:
        return exit_code_of(lambda: print(help_text(given.help_config)))
    files, command = given.cfg, command_line("tools/run_net.py", arguments)

    def work() -> int:
        modality = modality_named(load_run_spec(files, given.overrides).modality if files else "video")
        return run(modality, files=files, overrides=given.overrides, stages=given.stages, dry_run=given.dry_run,
                   command=command)

    return exit_code_of(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
