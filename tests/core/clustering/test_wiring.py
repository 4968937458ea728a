"""CLUSTER.METHOD from the config to N_cf, over the toy modality."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfvideo.core.cli import run
from cfvideo.core.errors import ConfigError
from tests.toy_modality import TOY

CONFIG = """
OUTPUT_DIR: {out}
D_PRE: {{PATH: "60bad"}}
D_TAR:
  T: {{TRAIN: "30", TEST: "15"}}
N_PRE: &net
  ARCH: r2plus1d
  WIDTHS: [6, 6, 6, 6]
  SOLVER: {{MAX_SAMPLES: 32, BATCH_SIZE: 16, NUM_HALVINGS: 1, CHECKPOINT_SAMPLES: 32}}
N_CF: *net
DATA: {{MAX_BAD_SHARE: 0.1}}
EXTRACT: {{NUM_CLIPS: 1, BATCH_SIZE: 16, SHARD_ROWS: 16}}
CLUSTER: {{NUM_CLUSTERS: 6, NUM_ITERATIONS: 3}}
PROBE: {{NUM_CLIPS: 1, STRENGTHS: [1.0]}}
"""


def _go(tmp_path: Path, *overrides: str, dry_run: bool = False) -> int:
    config = tmp_path / "toy.yaml"
    config.write_text(CONFIG.format(out=tmp_path / "out"))
    return run(TOY, files=[config], overrides=overrides, stages="", dry_run=dry_run, command="toy")


@pytest.mark.parametrize("method", ["unsupervised", "per_label", "prototype"])
def test_each_method_ends_in_a_report(tmp_path: Path, method: str) -> None:
    assert _go(tmp_path, "CLUSTER.METHOD", method) == 0
    assert (tmp_path / "out/report.html").exists()


@pytest.mark.parametrize(("overrides", "message"), [
    (("CLUSTER.METHOD", "per_label", "CLUSTER.NUM_CLUSTERS", "2"),
     "2 clusters for the 3 labels of D_CF.*set it to 3 or more"),
    (("CLUSTER.NUM_CLUSTERS", "61"), "61 clusters asked of the 60 rows of D_CF; set it to at most 60"),
    (("CLUSTER.PCA_WHITEN", "True"), "CLUSTER.PCA_WHITEN True without PCA does nothing")])
def test_what_cannot_be_is_refused_before_anything_runs(tmp_path: Path, overrides: tuple[str, ...],
                                                        message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _go(tmp_path, *overrides, dry_run=True)
    assert not (tmp_path / "out").exists()
