"""A consensus is better than what it is made of, and a function of the partitions alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from cfvideo.core.cli import run
from cfvideo.core.clustering.consensus import LabelSets
from cfvideo.core.clustering.exact import square_limbs
from cfvideo.core.distributed import any_rank, current, first_only, joined
from cfvideo.core.durable import sha256_file
from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.interrupt import StopRequest
from cfvideo.core.pseudo_labels import PseudoLabels
from cfvideo.core.screen import Screen
from cfvideo.core.stage import Artefact, Workspace
from cfvideo.core.stages.cluster import LABELS, MODEL, run_assign
from cfvideo.core.stages.consensus import label_sets_of, run_consensus
from tests.core.clustering.stage_runs import clustering, made_index
from tests.core.processes import launch
from tests.core.test_cli import CONFIG
from tests.toy_modality import TOY

CPU = torch.device("cpu")
NUM_BLOBS = 8


def blobs(num: int = 800, seed: int = 0) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(NUM_BLOBS, size=num).astype(np.int32)


def noisy(truth: NDArray[np.int32], seed: int, share: float = 0.3) -> NDArray[np.int32]:
    """`truth` with some rows at random ids, under other names: what k-means of one poor network might give."""
    rng = np.random.default_rng([1, seed])
    wrong = rng.random(len(truth)) < share
    found = np.where(wrong, rng.integers(NUM_BLOBS, size=len(truth)), truth)
    return rng.permutation(NUM_BLOBS)[found].astype(np.int32)


def prepared(folder: Path, label_sets: list[NDArray[np.int32]]) -> dict[str, Artefact]:
    """Finished assign stages with these labels."""
    inputs = {}
    for number, labels in enumerate(label_sets):
        place = folder / f"source{number}"
        with first_only() as is_mine:
            if is_mine:
                place.mkdir(parents=True, exist_ok=True)
                size = int(labels.max()) + 1
                PseudoLabels(labels, np.zeros(len(labels), np.float32), np.arange(size, dtype=np.int32),
                             made_index(len(labels)).content_hash).save(place / LABELS)
        inputs[f"labels {number}"] = Artefact(place, {"files": {LABELS: {"sha256": sha256_file(place / LABELS)}}})
    return inputs


def combined(folder: Path, label_sets: list[NDArray[np.int32]], **keys: Any) -> tuple[PseudoLabels, dict[str, Any]]:
    """The two stages on these label sets: labels and facts."""
    inputs, index = prepared(folder, label_sets), made_index(len(label_sets[0]))
    with first_only():
        for name in ("cluster", "assign"):
            (folder / name).mkdir(exist_ok=True)
    options: dict[str, Any] = {"num_clusters": NUM_BLOBS, "num_restarts": 3, "num_iterations": 20, **keys}
    names, hashed = tuple(inputs), index.content_hash

    def work(name: str) -> Workspace:
        return Workspace(folder / name, inputs, Screen(quiet=True), StopRequest(), name, folder / "events")

    facts = dict(run_consensus(work("cluster"), names=names, index_hash=hashed, clustering=clustering(**options),
                               seed=0, device=CPU))
    with first_only():
        pass  # the model is written
    inputs["kmeans"] = Artefact(folder / "cluster", {"files": {MODEL: {"sha256": sha256_file(
        folder / "cluster" / MODEL)}}})
    facts |= run_assign(work("assign"), index=index, known_labels=index.picked_labels(0), device=CPU,
                        rows_of=lambda work, index_hash: label_sets_of(work, index_hash, names))
    with first_only():
        pass
    return PseudoLabels.load(folder / "assign" / LABELS, index_hash=hashed), facts


def sees(truth: NDArray[np.int32], part: NDArray[np.int32], seed: int) -> NDArray[np.int32]:
    """What a network finds that tells `part` apart, and errs in a tenth of the rows."""
    rng = np.random.default_rng([2, seed])
    size = int(part.max()) + 1
    return np.where(rng.random(len(truth)) < 0.1, rng.integers(size, size=len(truth)), part).astype(np.int32)


def test_two_labellings_that_see_different_things_are_better_together(tmp_path: Path) -> None:
    truth = blobs()
    sources = [sees(truth, truth // 2, 0), sees(truth, truth % 4, 1)]
    alone = [adjusted_rand_score(truth, source) for source in sources]
    found = combined(tmp_path, sources)[0].labels
    assert adjusted_rand_score(truth, found) > max(alone) + 0.2


def test_many_poor_labellings_make_a_good_one(tmp_path: Path) -> None:
    truth = blobs()
    sources = [noisy(truth, seed) for seed in range(5)]
    alone = [adjusted_rand_score(truth, source) for source in sources]
    found = combined(tmp_path, sources)[0].labels
    assert max(alone) < 0.6
    assert adjusted_rand_score(truth, found) > 0.8


def test_which_id_a_source_gives_a_cluster_does_not_matter(tmp_path: Path) -> None:
    sources = [noisy(blobs(), 0), noisy(blobs(), 1)]
    other = [np.random.default_rng(5).permutation(NUM_BLOBS)[sources[0]].astype(np.int32), sources[1] + 3]
    results = [combined(tmp_path / name, sets) for name, sets in (("a", sources), ("b", other))]
    assert np.array_equal(results[0][0].labels, results[1][0].labels)
    assert results[0][1] == results[1][1]


def test_equal_sources_give_their_own_partition(tmp_path: Path) -> None:
    labels = noisy(blobs(), 0)
    found, facts = combined(tmp_path, [labels, labels, labels], num_restarts=1)
    assert adjusted_rand_score(labels, found.labels) == 1.0
    assert facts["objective"][-1] == 0.0


def test_rows_that_some_source_lacks_follow_the_others_and_rows_that_all_lack_have_none(tmp_path: Path) -> None:
    truth = blobs(300)
    first, second = truth.copy(), truth.copy()
    first[:20], second[10:30] = -1, -1
    found, facts = combined(tmp_path, [first, second])
    expected = np.where((first < 0) & (second < 0), -1, truth)
    assert np.array_equal(found.labels < 0, expected < 0)
    assert adjusted_rand_score(truth[found.labels >= 0], found.labels[found.labels >= 0]) == 1.0
    assert (facts["num_unlabelled"], facts["num_points"]) == (10, 290)


def test_sources_may_have_other_numbers_of_clusters_and_k_may_differ(tmp_path: Path) -> None:
    truth = blobs(400)
    halves, parts = truth // 2, truth % 2
    found, facts = combined(tmp_path, [halves, parts], num_restarts=5)
    assert adjusted_rand_score(truth, found.labels) == 1.0
    few, _ = combined(tmp_path / "few", [halves, parts], num_clusters=2)
    assert few.num_clusters == 2
    assert facts["num_asked"] == NUM_BLOBS


def test_fewer_distinct_rows_than_clusters_end_with_compacted_ids(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(3, dtype=np.int32), 20)
    found, facts = combined(tmp_path, [labels, labels], num_clusters=5)
    assert (found.num_clusters, facts["num_asked"], facts["num_found"]) == (3, 5, 3)
    with pytest.raises(ConfigError, match="61 clusters asked of 60 usable rows"):
        combined(tmp_path / "many", [labels, labels], num_clusters=61)


@pytest.mark.parametrize("init", ["kmeans++", "random"])
def test_codes_are_one_hot_and_starting_centroids_are_codes_of_distinct_rows(init: str) -> None:
    sets = LabelSets.of([np.array([7, 7, 2, -1, 2], np.int32), np.array([0, 1, 1, -1, -1], np.int32)])
    assert sets.sizes == (2, 2)  # ids that no row carries take no room
    codes = sets.codes(np.arange(5))
    assert codes.tolist() == [[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert sets.own_rows().tolist() == [0, 1, 2, 4]
    points = sets.points(sets.own_rows())
    assert np.array_equal(points.read(1, 4), codes[[1, 2, 4]])
    assert np.array_equal(points.square_limbs, square_limbs(codes))
    (block,) = sets.blocks(start=2, stop=5)
    assert (block.start, block.valid.tolist()) == (2, [True, False, True])
    start = sets.starting_solution(sets.own_rows(), 9, init=init, seed=0, restart=0)
    assert sorted(start.centroids.tolist()) == sorted(codes[[0, 1, 2, 4]].tolist())


def test_a_large_set_is_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cfvideo.core.clustering.search.BLOCK_ELEMENTS", 40)
    sets = LabelSets.of([blobs(23), blobs(23, 1)])
    blocks = list(sets.blocks(start=4, stop=23))
    assert len(blocks) > 5
    assert np.array_equal(np.concatenate([block.features for block in blocks]), sets.codes(np.arange(4, 23)))


def test_labels_of_another_index_are_refused(tmp_path: Path) -> None:
    inputs = prepared(tmp_path, [blobs(50), blobs(50, 1)])
    work = Workspace(tmp_path, inputs, Screen(quiet=True), StopRequest(), "w", tmp_path)
    with pytest.raises(IntegrityError, match="labels of index"):
        label_sets_of(work, "0" * 64, tuple(inputs))


def written(folder: Path) -> list[bytes]:
    return [(folder / "cluster" / MODEL).read_bytes(), (folder / "assign" / LABELS).read_bytes()]


def main(folder: str) -> None:
    """One of several processes; the other side of the test below."""
    with joined():
        _, facts = combined(Path(folder), [noisy(blobs(), 0), noisy(blobs(), 1)])
        if current().is_first:
            print(json.dumps(facts, sort_keys=True))
        any_rank(True)


def test_the_same_bytes_again(tmp_path: Path) -> None:
    results = [combined(tmp_path / name, [noisy(blobs(), 0), noisy(blobs(), 1)])[1] for name in "ab"]
    assert written(tmp_path / "a") == written(tmp_path / "b")
    assert results[0] == results[1]


class _Killed(BaseException):
    """Stands in for SIGKILL."""


def test_a_killed_consensus_goes_on_from_its_last_iteration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [noisy(blobs(), 0), noisy(blobs(), 1)]
    combined(tmp_path / "whole", sources)
    points: list[str] = []

    def die(point: str) -> None:
        points.append(point)
        if points.count("iteration") == 6:
            raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr("cfvideo.core.stages.fitting.fault_point", die)
        with pytest.raises(_Killed):
            combined(tmp_path / "killed", sources)
    assert (tmp_path / "killed/cluster/scratch/state.safetensors").exists()
    combined(tmp_path / "killed", sources)
    assert written(tmp_path / "killed") == written(tmp_path / "whole")


@pytest.mark.slow
def test_the_same_bytes_from_two_processes(tmp_path: Path) -> None:
    _, facts = combined(tmp_path / "one", [noisy(blobs(), 0), noisy(blobs(), 1)])
    done = launch("import sys; from tests.core.clustering.test_consensus import main; main(sys.argv[1])", 2,
                  str(tmp_path / "two"))
    assert [one.returncode for one in done] == [0, 0], done[-1].stderr
    assert written(tmp_path / "two") == written(tmp_path / "one")
    assert json.loads(done[0].stdout) == facts


def _go(folder: Path, *overrides: str, stages: str = "", dry_run: bool = False) -> int:
    folder.mkdir(exist_ok=True)
    (folder / "toy.yaml").write_text(CONFIG.format(out=folder / "out"))
    return run(TOY, files=[folder / "toy.yaml"], overrides=["CLUSTER.METHOD", "consensus", *overrides], stages=stages,
               dry_run=dry_run, command="toy")


FURTHER = ("MORE_N_PRE.OTHER.SOLVER.MAX_SAMPLES", "96", "MORE_N_PRE.OTHER.SOLVER.BATCH_SIZE", "16")


def test_n_cf_learns_the_consensus_and_every_other_row_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                             ) -> None:
    assert _go(tmp_path, *FURTHER) == 0
    said = capsys.readouterr().out
    assert "a consensus of 2 labellings with 6, 6 clusters" in said
    for row in ("N_pre OTHER", "N_cf OTHER", "N_cf multi task", "│ N_cf  "):
        assert row in said
    manifests = [json.loads(path.read_text()) for path in (tmp_path / "out/stages").glob("*/*/manifest.json")]
    by_role = {(one["name"], one["role"]): one for one in manifests}
    learned = by_role["train_cf", "seed 0: n_cf"]["inputs"]["labels"]
    assert learned == by_role["assign", "seed 0: n_cf, a consensus"]["fingerprint"]
    single = by_role["train_cf", "seed 0: n_cf_OTHER"]["inputs"]["labels"]
    assert single == by_role["assign", "seed 0: n_pre_OTHER_fit1"]["fingerprint"]
    assert len(by_role["train_cf", "seed 0: n_cf_multi_task"]["inputs"]) == 2
    page = (tmp_path / "out/report.html").read_text()
    for clusters in ("N_cf", "N_pre fit1", "N_cf OTHER"):
        assert f"{clusters}, seed 0: from " in page  # a line of the figure of objectives


def test_further_rounds_go_on_from_the_n_cf_of_the_consensus(tmp_path: Path) -> None:
    _go(tmp_path, "CLUSTER.NUM_RESTARTS", "2", "ROUNDS", "2", stages="pretrain,extract,cluster,assign,train_cf")
    manifests = [json.loads(path.read_text()) for path in (tmp_path / "out/stages").glob("*/*/manifest.json")]
    by_role = {(one["name"], one["role"]): one for one in manifests}
    n_cf = by_role["train_cf", "seed 0: n_cf"]["fingerprint"]
    assert by_role["extract", "seed 0: n_cf on D_CF"]["inputs"]["network"] == n_cf
    learned = by_role["train_cf", "seed 0: n_cf_round2"]["inputs"]["labels"]
    assert learned == by_role["assign", "seed 0: n_cf_fit1"]["fingerprint"]


def test_the_fits_of_a_consensus_are_those_of_unsupervised_runs(tmp_path: Path,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    assert _go(tmp_path, "CLUSTER.NUM_RESTARTS", "3", stages="pretrain,extract,cluster,assign") == 0
    assert "a consensus of 3 labellings" in capsys.readouterr().out
    _go(tmp_path, "CLUSTER.METHOD", "unsupervised", stages="pretrain,extract,cluster,assign")
    said = capsys.readouterr().out
    assert "cluster seed 0: n_cf: re-used" in said
    assert "assign seed 0: n_cf: re-used" in said


@pytest.mark.parametrize(("overrides", "message"), [
    ((), "a consensus of one labelling is that labelling; give further N_pre as MORE_N_PRE, or set "
         r"CLUSTER.NUM_RESTARTS"),
    (("CLUSTER.NUM_CLUSTERS", "60", "CLUSTER.NUM_RESTARTS", "40000"),
     r"60 clusters of 40000 .* at most 134,217,728; lower it to 57, or combine fewer")])
def test_what_cannot_be_combined_is_refused_before_anything_runs(tmp_path: Path, overrides: tuple[str, ...],
                                                                 message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _go(tmp_path, *overrides, dry_run=True)
    assert not (tmp_path / "out").exists()
