"""Run by test_torchcodec.py where torchcodec finds FFmpeg.

Reads JSON lines [path, [numbers]]; answers each with what decoded it, the numbers found, and the mean difference from
PyAV in grey levels.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from cfvideo.core.errors import ConfigError, DecodeError
from cfvideo.data.decode import decode_frames, read_frames
from tests.synthetic import numbers_of


def main() -> None:
    for line in sys.stdin:
        path, wanted = json.loads(line)
        try:
            found = decode_frames(Path(path), choose=lambda _, wanted=wanted: wanted, decoder="torchcodec")
        except (ConfigError, DecodeError) as error:
            print(json.dumps({"error": str(error)}))
            continue
        reference = read_frames(Path(path), choose=lambda _, wanted=wanted: wanted)
        gap = float(np.abs(found.frames.astype(int) - reference.astype(int)).mean())
        print(json.dumps({"decoder": found.decoder, "numbers": numbers_of(found.frames), "gap": gap}))


if __name__ == "__main__":
    main()
