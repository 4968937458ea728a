"""`python -m tests.toy_run CONFIG STAGES [KEY VALUE ...]`: the whole program over the toy modality, for torchrun."""

from __future__ import annotations

import sys
from pathlib import Path

from cfvideo.core.cli import run
from cfvideo.core.errors import exit_code_of
from tests.toy_modality import TOY

if __name__ == "__main__":
    config, stages, *overrides = sys.argv[1:]
    sys.exit(exit_code_of(lambda: run(TOY, files=[Path(config)], overrides=overrides, stages=stages.strip("-"),
                                      dry_run=False, command="toy")))
