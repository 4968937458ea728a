"""The cluster and assign stages: methods, schedule, resumption, bad input."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cfvideo.core import faults
from cfvideo.core.clustering import fit as fit_module
from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.stages.cluster import LABELS, MODEL
from tests.core.clustering.made_points import mixture
from tests.core.clustering.stage_runs import digest, features, make_store, run_stages
from tests.source_tree import ROOT


class _Killed(BaseException):
    """Stands in for SIGKILL inside this process: nothing in the product catches it."""


def _die() -> None:
    raise _Killed


def test_unsupervised_labels_every_usable_row(tmp_path: Path) -> None:
    make_store(tmp_path, features(), bad=(3, 77, 499))
    model, labels, facts = run_stages(tmp_path)
    assert np.flatnonzero(labels.labels == -1).tolist() == [3, 77, 499]
    assert len(model.centroids) == facts["num_clusters"] == 12
    assert (facts["num_points"], facts["num_unlabelled"]) == (497, 3)
    assert set(facts["scores"]) == {"nmi_with_labels", "purity_with_labels", "adjusted_rand_with_labels"}
    assert len(facts["objective"]) == len(facts["share_moved"]) == facts["num_iterations"] > 1
    assert facts["share_moved"][0] == 1.0
    assert facts["objective"][-1] < facts["objective"][0]


@pytest.mark.parametrize("rule", ["sqrt", "linear"])
def test_per_label_clusters_never_mix_labels(tmp_path: Path, rule: str) -> None:
    make_store(tmp_path, features(), bad=(0,))
    model, labels, facts = run_stages(tmp_path, method="per_label", num_clusters=23, label_quota=rule)
    rows = np.arange(500)
    unlabelled = (rows % 7 >= 5) | (rows == 0)
    assert np.array_equal(labels.labels == -1, unlabelled)
    assert len(model.centroids) == facts["num_asked"] == 23
    assert model.labels is not None
    assert np.bincount(model.labels).min() >= 4
    own = model.labels[labels.centroids[labels.labels[~unlabelled]]]
    assert np.array_equal(own, rows[~unlabelled] % 7)


def test_prototype_is_one_assignment_to_the_means_of_labels(tmp_path: Path) -> None:
    points = features()
    points[::7] = points[1::7][:len(points[::7])]  # two labels with nearly equal means: one may end empty
    make_store(tmp_path, points)
    model, labels, facts = run_stages(tmp_path, method="prototype", l2_normalise=False, num_clusters=400)
    rows = np.arange(500)
    means = np.stack([points[rows % 7 == label].astype(np.float64).mean(0) for label in range(5)])
    assert np.allclose(model.centroids, means, atol=1e-5)
    assert facts["num_iterations"] == 1
    true = ((points[:, None].astype(np.float64) - model.centroids) ** 2).sum(-1).argmin(1)
    assert np.array_equal(labels.centroids[labels.labels], true)  # of all rows, the unlabelled too
    assert facts["num_empty"] == 5 - len(np.unique(true))


def test_an_empty_prototype_is_named(tmp_path: Path) -> None:
    points = np.zeros((70, 4), np.float16)
    points[np.arange(70) % 7 == 3] = [[1, 0, 0, 0]]
    for row in range(4, 70, 7):  # label 4 straddles label 3's place and the others': no row is nearest to its mean
        points[row] = [1, 0, 0, 0] if row % 2 else [0, 0, 0, 0]
    make_store(tmp_path, points)
    _, labels, facts = run_stages(tmp_path, method="prototype", l2_normalise=False)
    assert facts["num_empty"] == 3
    assert labels.centroids.tolist() == [0, 3]  # of equal means the first
    assert '"empty": [\n  "label 1",\n  "label 2",\n  "label 4"\n ]' in (tmp_path / "assign/clusters.json").read_text()


def test_the_papers_schedule_ends_near_the_full_fit(tmp_path: Path) -> None:
    make_store(tmp_path, features(2000))
    _, _, full = run_stages(tmp_path, num_iterations=12)
    shutil.rmtree(tmp_path / "cluster")
    _, _, two = run_stages(tmp_path, num_iterations=8, sample_share=0.4, final_iterations=3)
    assert two["num_points"] == 2000
    assert 4 <= two["num_iterations"] <= 11
    assert two["objective"][-1] < full["objective"][-1] * 1.05


def test_the_best_restart_is_kept(tmp_path: Path) -> None:
    make_store(tmp_path, features())
    one = run_stages(tmp_path, init="random", num_clusters=9, num_iterations=2)[2]["objective"][-1]
    shutil.rmtree(tmp_path / "cluster")
    best = run_stages(tmp_path, init="random", num_clusters=9, num_iterations=2, num_restarts=6)[2]["objective"][-1]
    assert best < one


def test_a_sample_may_be_asked_for(tmp_path: Path) -> None:
    make_store(tmp_path, features(1500))
    _, labels, facts = run_stages(tmp_path, max_points_per_centroid=50)
    assert 500 < facts["num_points"] < 700
    assert (labels.labels >= 0).all()


KEYS = {"num_restarts": 2, "sample_share": 0.6, "final_iterations": 2, "num_iterations": 3, "pca_dim": 4}


def test_killed_at_every_fault_point_it_ends_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("whole", "killed"):
        make_store(tmp_path / name, features(300))
    wanted = digest(tmp_path / "whole", run_stages(tmp_path / "whole", **KEYS)[2])
    monkeypatch.setattr(faults, "_die", _die)
    steps, step = [0], fit_module.Lloyd.step

    def counted(*arguments: object) -> object:
        steps[0] += 1
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fit_module.Lloyd, "step", counted)
    kills = 0
    for point in ("iteration:1", "block:1", "before_rename:1", "after_rename:1") * 4:
        monkeypatch.setenv("CFVIDEO_FAULT", point)
        faults._reached.clear()
        try:
            run_stages(tmp_path / "killed", **KEYS)
            break
        except _Killed:
            kills += 1
    monkeypatch.delenv("CFVIDEO_FAULT")
    facts = run_stages(tmp_path / "killed", **KEYS)[2]
    assert kills >= 8
    assert steps[0] <= 8 + kills  # no kill costs more than the iteration in hand
    assert digest(tmp_path / "killed", facts) == wanted


def test_a_damaged_state_is_begun_anew(tmp_path: Path) -> None:
    make_store(tmp_path, features(300))
    wanted = digest(tmp_path, run_stages(tmp_path)[2])
    state = tmp_path / "cluster/scratch/state.safetensors"
    data = bytearray(state.read_bytes())
    data[-3] ^= 16
    state.write_bytes(data)
    assert digest(tmp_path, run_stages(tmp_path)[2]) == wanted


def test_shards_of_other_sizes_give_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for rows in (17, 500):
        make_store(tmp_path / str(rows), features(), shard_rows=rows)
        digests.add(digest(tmp_path / str(rows), run_stages(tmp_path / str(rows), pca_dim=5, spherical=True)[2]))
    assert len(digests) == 1


@pytest.mark.parametrize(("points", "num_clusters", "found"), [
    (np.ones((40, 4)), 5, 1), (mixture(5, 4)[np.arange(200) % 5], 10, 5), (mixture(1, 4), 1, 1),
    (mixture(30, 4), 30, 30), (mixture(50, 1), 1, 1), (np.zeros((9, 2)), 3, 1)])
def test_degenerate_points(tmp_path: Path, points: np.ndarray, num_clusters: int, found: int) -> None:
    make_store(tmp_path, points.astype(np.float16))
    _, labels, facts = run_stages(tmp_path, num_clusters=num_clusters, l2_normalise=False)
    assert facts["num_found"] == labels.num_clusters == found
    assert sorted(set(labels.labels.tolist())) == list(range(found))
    assert facts["objective"][-1] >= 0


def test_more_clusters_than_rows_is_refused(tmp_path: Path) -> None:
    make_store(tmp_path, features(13), bad=(1, 2))
    with pytest.raises(ConfigError, match="12 clusters asked of 11 usable rows of D_CF; set it to at most 11"):
        run_stages(tmp_path)
    with pytest.raises(ConfigError, match="2 clusters of 5 labels"):
        run_stages(tmp_path, method="per_label", num_clusters=2)


def test_a_block_of_nan_is_left_out(tmp_path: Path) -> None:
    points = features()
    points[64:128] = np.nan
    make_store(tmp_path, points)
    _, labels, facts = run_stages(tmp_path)
    assert np.flatnonzero(labels.labels == -1).tolist() == list(range(64, 128))
    assert np.isfinite(facts["objective"]).all()


@pytest.mark.parametrize("damage", ["cut", "bit"])
def test_a_damaged_shard_is_refused(tmp_path: Path, damage: str) -> None:
    make_store(tmp_path, features())
    shard = sorted((tmp_path / "features").iterdir())[3]
    data = bytearray(shard.read_bytes())
    data[-100] ^= 1
    shard.write_bytes(data[:-50] if damage == "cut" else data)
    with pytest.raises(IntegrityError, match=shard.name):
        run_stages(tmp_path)


LITTLE_ROOM = """
import resource, signal, sys
from pathlib import Path
from tests.core.clustering.stage_runs import run_stages
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    run_stages(Path(sys.argv[1]))
except OSError as error:
    print(error.errno, error.filename)
"""


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """Here a limit on the size of files; execute.py makes the sentence for the user of such errors."""
    make_store(tmp_path, features())
    for limit in (4_000, 11_000):  # the points do not fit; they fit
        said = subprocess.run([sys.executable, "-c", LITTLE_ROOM, str(tmp_path), str(limit)], cwd=ROOT, text=True,
                              capture_output=True, check=True).stdout
        assert said == "" if limit > 10_000 else said.startswith("27 ")
    assert (tmp_path / "cluster" / MODEL).exists()
    assert (tmp_path / "assign" / LABELS).exists()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4_000
