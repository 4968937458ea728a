"""Points that are larger than the memory allowed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.processes import environment
from tests.source_tree import ROOT

# 160 MB of float16 points; what a fit may add to the memory that imports and a first small fit took.
CAPPED = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from cfvideo.core.clustering.points import on_disk
from tests.core.clustering.made_points import fitted, mixture
from cfvideo.core.clustering.lloyd import Lloyd

torch.set_num_threads(1)
rng = np.random.default_rng(0)
centres = rng.normal(size=(20, 256)).astype(np.float16)

def blocks():
    for _ in range(32):
        yield centres[rng.integers(20, size=10_000)] + rng.normal(size=(10_000, 256)).astype(np.float16), None

points = on_disk(Path(sys.argv[1]), blocks(), dim=256)
fitted(mixture(2000, 256), mixture(20, 256).astype(np.float32), 2)
held = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) * 1024
cap = held + int(sys.argv[2]) * 2 ** 20
resource.setrlimit(resource.RLIMIT_AS, (cap, cap))
lloyd = Lloyd(points, groups=np.zeros(20, np.int32), spherical=False, device=torch.device("cpu"))
centroids = points.read(0, 20).astype(np.float32)
for _ in range(3):
    step = lloyd.step(centroids)
    centroids = step.centroids
print(points.num_rows, Path(sys.argv[1]).stat().st_size, step.objective < 400)
try:
    np.ones(points.num_rows * 256, np.float16)
except MemoryError:
    print("all of it would not have fitted")
"""


@pytest.mark.slow
def test_points_larger_than_the_cap_are_clustered_within_it(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CAPPED, str(tmp_path / "points"), "100"], cwd=ROOT, text=True,
                          capture_output=True, check=False, env=environment())
    assert done.stdout == "320000 163840000 True\nall of it would not have fitted\n", done.stderr
