"""What a config says of training is what is done: finished networks of whole runs against textbook SGD.

Every network of one small run, the baselines' too, is trained again from what the run drew and read, in plain torch
and with the numbers that the config means written out here. A key that does not arrive makes another network.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cfvideo.core.cli import run
from cfvideo.core.network_file import load_network
from cfvideo.core.records import Batch
from cfvideo.core.store import Store
from cfvideo.core.tensors import load_tensors
from tests.core.processes import launch
from tests.core.stages.recorded import ConvolutionalToy, Loss, Recorder, Sgd, assert_same
from tests.toy_modality import TOY, eval_batches, read_index

CONFIG = """
OUTPUT_DIR: {out}
D_PRE: {{PATH: "60", LABELS: {{TOP: 2, NOISE: 1.0}}}}
D_TAR: {{T: {{TRAIN: "60", TEST: "30"}}}}
N_PRE:
  SOLVER: {{MAX_SAMPLES: 48, BATCH_SIZE: 12, BASE_LR: 0.2, BASE_BATCH_SIZE: 24, NUM_HALVINGS: 1, MOMENTUM: 0.8,
            NESTEROV: true, WEIGHT_DECAY: 0.3, CLIP_GRADIENT: 0.3}}
N_CF:
  SOLVER: {{MAX_SAMPLES: 48, BATCH_SIZE: 12, BASE_LR: 0.3, BASE_BATCH_SIZE: 18, SCHEDULE: constant, MOMENTUM: 0.6,
            NESTEROV: false, WEIGHT_DECAY: 0.2, DECAY_BATCH_NORM: true, WARMUP_SAMPLES: 24, WARMUP_FROM: 0.25,
            CLIP_GRADIENT: 1.5}}
DISTILLATION: {{TEMPERATURE: 3.0, ALPHA: 0.4}}
EXTRACT: {{NUM_CLIPS: 2, BATCH_SIZE: 8}}
CLUSTER: {{NUM_CLUSTERS: 5, NUM_ITERATIONS: 3}}
PROBE: {{NUM_CLIPS: 2, STRENGTHS: [1.0]}}
SYSTEM: {{THREADS: 1}}
"""
MORE = ("BASELINES", "[n_pre_2x, distillation, regression, prototype]",
        "MORE_N_PRE.OTHER.SOLVER.MAX_SAMPLES", "24", "MORE_N_PRE.OTHER.SOLVER.BATCH_SIZE", "12")
TRAININGS = "pretrain,extract,cluster,assign,train_cf"
# The first two labels alternate over 40 rows, and with noise 1 each becomes the other.
NUM_ROWS = 40
TRUE = np.arange(NUM_ROWS) % 2
NOISY = 1 - TRUE
N_PRE = Sgd(rates=[0.1, 0.1, 0.05, 0.05], momentum=0.8, nesterov=True, decay=0.3, clip=0.3)
N_CF = Sgd(rates=[0.05, 0.125, 0.2, 0.2], momentum=0.6, nesterov=False, decay=0.2, decay_all=True, clip=1.5)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """The run, without what judges its networks."""
    recorder = Recorder(tmp_path_factory.mktemp("run"))
    recorder.go(CONFIG, *MORE, stages=TRAININGS)
    return recorder


def _learns(labels: NDArray[np.int64] | NDArray[np.int32]) -> Loss:
    def loss(outputs: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(outputs, torch.from_numpy(labels[batch.rows]).long())

    return loss


def _trained_by(recorder: Recorder, name: str, sgd: Sgd, loss: Loss, stage: str = "train_cf") -> None:
    """The finished network is what textbook SGD makes of the same weights and batches."""
    training = recorder.trainings()[f"seed 0: {name}"]
    assert_same(recorder.weights(stage, f"seed 0: {name}"), sgd.trained(training.initial, training.batches, loss))


def _pseudo_labels(recorder: Recorder, name: str) -> NDArray[np.int32]:
    """What the network of this name, with one head, learns."""
    given = recorder.stage("train_cf", f"seed 0: {name}")[1]["inputs"]["labels"]
    labels: NDArray[np.int32] = load_tensors(recorder.folder / "out/stages/assign" / given /
                                             "pseudo_labels.safetensors")[0]["labels"].numpy()
    return labels


def _n_pre(recorder: Recorder) -> ConvolutionalToy:
    network = load_network(recorder.stage("pretrain", "seed 0: n_pre")[0] / "weights.safetensors", recorder.modality)
    assert isinstance(network, ConvolutionalToy)
    return network.eval()


def _features(recorder: Recorder) -> Tensor:
    """float32 [N, 6]: N_pre's features of D_cf, the mean of two clips', divided by their length."""
    index = read_index(format="", path=Path("60"), root=None, min_rows_per_label=1)
    (batch,) = eval_batches(index, np.arange(NUM_ROWS), view={}, num_views=2, batch_rows=NUM_ROWS, reading=None)
    with torch.no_grad():
        mean = _n_pre(recorder).features(batch.data).view(NUM_ROWS, 2, -1).mean(dim=1)
    return F.normalize(mean.half().float(), dim=1)  # as half precision keeps it


def test_n_pre_learns_the_noisy_labels_by_the_solver_of_its_keys(done: Recorder) -> None:
    """Rate scaled by the batch's size and halved once; Nesterov's momentum; the penalty spares vectors."""
    _trained_by(done, "n_pre", N_PRE, _learns(NOISY), "pretrain")


def test_n_cf_learns_the_clusters_by_the_solver_of_its_own_keys(done: Recorder) -> None:
    """Warm-up; plain momentum; the penalty holds for batch norms and biases too."""
    _trained_by(done, "n_cf", N_CF, _learns(_pseudo_labels(done, "n_cf")))


def test_n_pre_for_twice_as_long_begins_as_n_pre_and_stretches_its_schedule(done: Recorder) -> None:
    once, twice = (done.trainings()[f"seed 0: {name}"] for name in ("n_pre", "n_pre_2x"))
    assert all(torch.equal(twice.initial[name], value) for name, value in once.initial.items())
    assert all(torch.equal(mine.data, theirs.data) for mine, theirs in zip(once.batches, twice.batches, strict=False))
    assert [len(one.batches) for one in (once, twice)] == [4, 8]
    _trained_by(done, "n_pre_2x", replace(N_PRE, rates=[0.1] * 4 + [0.05] * 4), _learns(NOISY), "pretrain")


def test_distillation_learns_what_n_pre_says_in_evaluation_mode(done: Recorder) -> None:
    """alpha T^2 cross-entropy with N_pre's outputs at temperature T, and 1 - alpha with the weak labels."""
    teacher, weak = _n_pre(done), _learns(NOISY)

    def loss(outputs: Tensor, batch: Batch) -> Tensor:
        soft = (teacher(batch.data).detach() / 3.0).softmax(dim=1)
        return 0.4 * 9.0 * F.cross_entropy(outputs / 3.0, soft) + 0.6 * weak(outputs, batch)

    _trained_by(done, "distillation", N_CF, loss)


def test_regression_learns_n_pres_feature_of_the_same_row(done: Recorder) -> None:
    features = _features(done)

    def loss(outputs: Tensor, batch: Batch) -> Tensor:
        return (outputs - features[batch.rows]).square().sum(dim=1).mean()

    _trained_by(done, "regression", N_CF, loss)


def test_prototypes_are_the_labels_means_and_each_row_learns_the_nearest(done: Recorder) -> None:
    features = _features(done)
    means = torch.stack([features[torch.from_numpy(label == NOISY)].mean(dim=0) for label in (0, 1)])
    nearest = torch.cdist(features, means).argmin(dim=1).numpy()
    assert 0 < (nearest != NOISY).sum() < NUM_ROWS  # not simply the labels
    np.testing.assert_array_equal(_pseudo_labels(done, "prototype"), nearest)
    _trained_by(done, "prototype", N_CF, _learns(nearest))


def test_each_head_of_a_multi_task_network_learns_the_clusters_of_its_own_n_pre(done: Recorder) -> None:
    heads = [_pseudo_labels(done, name) for name in ("n_cf", "n_cf_OTHER")]

    def loss(outputs: Tensor, batch: Batch) -> Tensor:
        first, second = torch.split(outputs, [int(labels.max()) + 1 for labels in heads], dim=1)
        return _learns(heads[0])(first, batch) + _learns(heads[1])(second, batch)

    _trained_by(done, "n_cf_multi_task", N_CF, loss)


@pytest.mark.parametrize("group", ["N_PRE", "N_CF"])
def test_number_format_and_layout_are_the_networks_own(tmp_path: Path, group: str,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """One network has them and the other has not."""
    monkeypatch.setattr("cfvideo.core.training.precision.cpu_has_bf16", lambda: True)  # it is slow, not impossible
    recorder = Recorder(tmp_path)
    recorder.go(CONFIG, f"{group}.SOLVER.MEMORY_FORMAT", "channels_last", f"{group}.SOLVER.PRECISION", "bf16",
                stages=TRAININGS)
    for own, name in (("N_PRE", "n_pre"), ("N_CF", "n_cf")):
        noted = recorder.trainings()[f"seed 0: {name}"].network.noted
        assert noted == ({(torch.bfloat16, True)} if own == group else {(torch.float32, False)})


@pytest.mark.parametrize(("group", "stage"), [("N_PRE", "pretrain"), ("N_CF", "train_cf")])
def test_the_network_that_is_to_be_compiled_is(tmp_path: Path, group: str, stage: str) -> None:
    """Where torch is told to compile nothing, it refuses that network and no other."""
    with torch.compiler.set_stance("fail_on_recompile"), pytest.raises(RuntimeError, match="compile"):
        Recorder(tmp_path).go(CONFIG, f"{group}.SOLVER.COMPILE", "true", stages=TRAININGS)
    assert [path.parent.name for path in tmp_path.glob("out/stages/*/*.partial")] == [stage]


def test_noise_is_in_the_labels_of_d_pre_and_in_no_targets(tmp_path: Path) -> None:
    """An untrained network, probed and fine-tuned on a target that lists the videos of D_pre, sees no noise."""
    results = []
    for noise in ("0.0", "1.0"):
        recorder = Recorder(tmp_path / noise)
        recorder.go(CONFIG, "D_PRE.LABELS.NOISE", noise, "FINETUNE.TARGETS", "[T]", "FINETUNE.SOLVER.MAX_SAMPLES",
                    "24", "FINETUNE.SOLVER.BATCH_SIZE", "12", stages="untrained,extract,probe,finetune,score")
        results.append([path.read_bytes() for name in ("probe.json", "weights.safetensors")
                        for path in sorted(recorder.folder.glob(f"out/stages/*/*/{name}"))])
    assert len(results[0]) == 4  # probe and score, untrained and fine-tuned
    assert results[0] == results[1]


@pytest.mark.slow
def test_two_processes_norm_their_batches_together_where_they_are_told_to(tmp_path: Path) -> None:
    """Each has half of every step: the network told to is that of one process, and the other is not."""
    for size in ("1", "2"):
        (tmp_path / f"{size}.yaml").write_text(CONFIG.format(out=tmp_path / size))
    words = [*MORE[2:], "N_PRE.SOLVER.SYNC_BATCH_NORM", "true"]
    run(TOY, files=[tmp_path / "1.yaml"], overrides=words, stages="pretrain", dry_run=False, command="toy")
    program = "import runpy; runpy.run_module('tests.toy_run', run_name='__main__')"
    for process in launch(program, 2, str(tmp_path / "2.yaml"), "pretrain", *words):
        assert process.returncode == 0, process.stderr
    alone, together = ({manifest["role"]: load_tensors(store.root / "stages/pretrain" / manifest["fingerprint"] /
                                                       "weights.safetensors")[0]
                        for role in ("seed 0: n_pre", "seed 0: n_pre_OTHER")
                        for manifest in store.manifests("pretrain", role)}
                       for store in (Store(tmp_path / "1"), Store(tmp_path / "2")))
    assert_same(together["seed 0: n_pre"], alone["seed 0: n_pre"])
    other = [one["seed 0: n_pre_OTHER"]["body.0.weight"] for one in (alone, together)]
    assert not torch.allclose(*other, atol=1e-5)
