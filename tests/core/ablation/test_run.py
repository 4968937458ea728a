"""Every ablation over the toy modality: what is shared, what stands in its tables, what is refused."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from cfvideo.core.ablation import ABLATIONS, Request, ablate
from cfvideo.core.errors import ConfigError, DataError
from cfvideo.core.network_file import write_network
from tests.core.test_cli import CONFIG
from tests.source_tree import ROOT
from tests.toy_modality import HEADER, TOY, ToyNetwork

pytest.importorskip("faiss", reason="k-means searches with FAISS: pip install faiss-cpu")

FASTER = ("N_PRE.SOLVER.MAX_SAMPLES", "48", "N_CF.SOLVER.MAX_SAMPLES", "48", "CLUSTER.NUM_ITERATIONS", "2",
          "EXTRACT.NUM_CLIPS", "1", "PROBE.NUM_CLIPS", "1")


def go(folder: Path, name: str, *overrides: str, values: str = "", clusters: str = "", lists: tuple[Path, ...] = (),
       dry_run: bool = False, seeds: tuple[int, ...] = ()) -> dict[tuple[str, int], float]:
    """Run an ablation; its table as {(network, seed): top-1 on T}."""
    config = folder / "toy.yaml"
    config.write_text(CONFIG.format(out=folder / "out"))
    request = Request(name, [config], "toy command", [*FASTER, *overrides], seeds, values.split(), clusters.split(),
                      lists, dry_run)
    assert ablate(TOY, request) == 0
    if dry_run:
        return {}
    with (folder / "out/ablations" / name / "table.csv").open(encoding="utf-8", newline="") as stream:
        return {(line["network"], int(line["seed"])): float(line["value"]) for line in csv.DictReader(stream)
                if line["metric"] == "top1"}


def made(folder: Path, stage: str) -> int:
    return len([path for path in (folder / "out/stages" / stage).iterdir() if (path / "manifest.json").exists()])


def networks(table: dict[tuple[str, int], float]) -> set[str]:
    return {network for network, _ in table}


def test_a_sweep_of_k_trains_and_extracts_once(tmp_path: Path) -> None:
    table = go(tmp_path, "num_clusters", values="3 5")
    assert networks(table) == {"untrained", "n_pre", "n_cf_k3", "n_cf_k5"}
    assert made(tmp_path, "pretrain") == 1
    assert made(tmp_path, "train_cf") == 2
    assert made(tmp_path, "extract") == 1 + 4 * 2


def test_k_is_by_default_the_configs_its_parts_and_double(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    go(tmp_path, "num_clusters", "CLUSTER.NUM_CLUSTERS", "40", dry_run=True)
    said = capsys.readouterr().out.partition("Plan")[0]
    assert re.findall(r"│ (k\d+)", said) == ["k5", "k10", "k20", "k40", "k60"]  # D_cf has 60 rows, not 80
    assert not (tmp_path / "out").exists()


def test_labels_unsupervised_vs_per_label(tmp_path: Path) -> None:
    table = go(tmp_path, "labels_unsupervised_vs_per_label", values="3 5")
    assert networks(table) == {"untrained", "n_pre", "prototype", "n_cf_unsupervised_k3", "n_cf_unsupervised_k5",
                               "n_cf_per_label_k3", "n_cf_per_label_k5"}


def test_num_labels_keeps_the_number_of_videos_and_d_cf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = go(tmp_path, "num_labels", values="2 7 all")
    assert networks(table) == {"untrained", "n_pre_m2", "n_pre_all", "n_cf_m2", "n_cf_all"}  # 7 would be all 3 labels
    said = "".join(re.findall(r"[A-Z0-9._]", capsys.readouterr().out))
    assert said.count("D_PRE.LABELS.MAX_ROWS40") == 2  # of 60 rows two labels have 40
    facts = [path.read_text() for path in (tmp_path / "out/stages/assign").glob("*/manifest.json")]
    assert len({re.search(r'"index": "(\w+)"', text)[1] for text in facts}) == 1  # type: ignore[index]


def test_a_distillation_that_is_left_out_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for asked, said in (("[distillation, prototype]", True), ("[prototype]", False)):
        go(tmp_path, "num_labels", "BASELINES", asked, values="2 all", dry_run=True)
        assert ("Left out: distillation: it learns the labels of D_cf" in capsys.readouterr().out) is said


def test_label_nature(tmp_path: Path) -> None:
    lists = (tmp_path / "Verbs.txt", tmp_path / "some nouns.txt")
    for file, names in zip(lists, ("a\nb\n", "c\nb\n"), strict=True):
        file.write_text(names)
    assert networks(go(tmp_path, "label_nature", lists=lists)) == {
        "untrained", "n_pre_verbs", "n_pre_some_nouns", "n_cf_verbs", "n_cf_some_nouns"}


def test_label_noise_compares_each_n_cf_with_its_own_n_pre(tmp_path: Path) -> None:
    table = go(tmp_path, "label_noise", values="0 50", clusters="3 5")
    assert networks(table) == {"untrained", *(f"{name}_p{share}" for share in (0, 50) for name in (
        "n_pre", "distillation")), *(f"n_cf_p{share}_k{count}" for share in (0, 50) for count in (3, 5))}
    page = (tmp_path / "out/ablations/label_noise/report.html").read_text()
    assert "against N<sub>pre</sub> p50" in page


def test_capacity(tmp_path: Path) -> None:
    assert networks(go(tmp_path, "capacity", "N_PRE.WIDTHS", "[8, 8, 8, 8]", values="3")) == {
        "untrained", "n_pre_configured", "n_pre_equal", "n_cf_configured", "n_cf_equal"}


def test_capacity_knows_equal_networks_by_what_they_hold(tmp_path: Path) -> None:
    """Neither a pretext task nor the words of a file make a network larger."""
    for larger in (("MODALITY", "image", "N_PRE.TASK", "rotnet"), ("N_PRE.WEIGHTS", str(finished(tmp_path)))):
        with pytest.raises(ConfigError, match="N_PRE a larger one"):
            go(tmp_path, "capacity", *larger, values="3", dry_run=True)


def finished(folder: Path) -> Path:
    """An N_pre from elsewhere: what its file says of it is less than a config would."""
    write_network(folder / "w.safetensors", ToyNetwork(3).state_dict(), num_classes=3, **HEADER)
    return folder / "w.safetensors"


def test_layers_for_several_k(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    go(tmp_path, "layers", clusters="3 5", dry_run=True)
    said = capsys.readouterr().out.partition("Plan")[0]
    assert re.findall(r"│ (k\d+)", said) == ["k3", "k5"]
    assert "".join(re.findall(r"[a-z0-9.,\[\]]", said)).count("[conv1,res5]") == 2


def test_layers(tmp_path: Path) -> None:
    go(tmp_path, "layers")
    with (tmp_path / "out/ablations/layers/table.csv").open(encoding="utf-8", newline="") as stream:
        assert {line["layer"] for line in csv.DictReader(stream)} == {"conv1", "res5"}
    assert (tmp_path / "out/ablations/layers/layers_1.png").exists()


def test_baselines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ("PROBE.METHODS", "[svm, low_shot]", "PROBE.SVM.COSTS", "[1.0]", "PROBE.SVM.SHOTS", "[1, 2]",
           "PROBE.SVM.CHOOSE_ON_TEST", "True")
    table = go(tmp_path, "baselines", "CLUSTER.NUM_CLUSTERS", "5", *few, values="3 5", seeds=(0, 1))
    assert set(table) == {(name, seed) for seed in (0, 1) for name in (
        "untrained", "n_pre", "n_pre_2x", "distillation", "prototype", "n_cf_k3", "n_cf_k5")}
    assert "Test rows chose the costs of the low-shot SVMs" in capsys.readouterr().out
    page = (tmp_path / "out/ablations/baselines/report.html").read_text()
    assert "Test rows chose the costs of the low-shot SVMs" in page
    assert "Clusters that N<sub>cf</sub> k5 learns (K = 5), seed 0" in page
    (own,) = (path.parent for path in (tmp_path / "out/stages/assign").glob("*/manifest.json")
              if '"seed 0: n_cf, k5"' in path.read_text())
    sheets = re.findall(r"<h4>Cluster (\d+)<span>(\d+) rows", page)
    sizes = json.loads((own / "clusters.json").read_text())["sizes"]
    assert sorted((int(cluster), int(size)) for cluster, size in sheets) == list(enumerate(sizes))


def test_a_finished_n_pre_and_one_without_labels_have_fewer_baselines(tmp_path: Path,
                                                                      capsys: pytest.CaptureFixture[str]) -> None:
    """What would be refused in a config of its own is not asked for."""
    go(tmp_path, "num_clusters", values="3")
    (weights,) = (tmp_path / "out/stages/pretrain").glob("*/weights.safetensors")
    capsys.readouterr()
    go(tmp_path, "baselines", "N_PRE.WEIGHTS", str(weights), values="3 5", dry_run=True)
    assert "BASELINES [distillation, prototype]" in capsys.readouterr().out.replace("\n", " ")
    go(tmp_path, "capacity", "N_PRE.WEIGHTS", str(weights), "N_CF.WIDTHS", "[8, 8, 8, 8]", values="3", dry_run=True)
    go(tmp_path, "label_noise", "MODALITY", "image", "N_PRE.TASK", "rotnet", "MORE_N_PRE.B.SOLVER.BATCH_SIZE", "16",
       values="0 50", clusters="3", dry_run=True)


def test_unlabelled_videos_to_cluster_have_no_prototypes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ablation says that it leaves them out; who asks for them is told before anything is trained."""
    unlabelled = ("D_CF.PATH", "'50'", "D_CF.FORMAT", "folder")
    go(tmp_path, "baselines", *unlabelled, values="3 5", dry_run=True)
    said = " ".join(capsys.readouterr().out.split())
    assert "prototype: no row of D_CF has a label" in said
    assert "BASELINES [n_pre_2x]" in said
    with pytest.raises(ConfigError, match="BASELINES prototype: no row of D_CF has a label; give it labels, or leave"):
        go(tmp_path, "num_clusters", *unlabelled, "BASELINES", "[prototype]", values="3")
    with pytest.raises(ConfigError, match="CLUSTER.METHOD: per_label needs labels"):
        go(tmp_path, "labels_unsupervised_vs_per_label", *unlabelled, values="3")


def test_multi_task(tmp_path: Path) -> None:
    table = go(tmp_path, "multi_task", "MORE_N_PRE.OTHER.SOLVER.MAX_SAMPLES", "32",
               "MORE_N_PRE.OTHER.SOLVER.BATCH_SIZE", "16", "MORE_N_PRE.OTHER.CLIP.NUM_FRAMES", "8")
    assert networks(table) == {"untrained", "n_pre", "n_cf", "n_pre_OTHER", "n_cf_OTHER", "n_cf_multi_task"}


def test_iterate(tmp_path: Path) -> None:
    assert networks(go(tmp_path, "iterate", values="3")) == {"untrained", "n_pre", "n_cf", "n_cf_round2", "n_cf_round3"}
    assert made(tmp_path, "cluster") == 3


def test_cluster_share(tmp_path: Path) -> None:
    table = go(tmp_path, "cluster_share", values="2 4 100 all")
    assert networks(table) == {"untrained", "n_pre", "n_cf_max2", "n_cf_max4", "n_cf_all"}  # 100 would take all 60 rows


def test_consensus(tmp_path: Path) -> None:
    table = go(tmp_path, "consensus", "CLUSTER.NUM_RESTARTS", "3")
    assert networks(table) == {"untrained", "n_pre", "n_cf_unsupervised", "n_cf_consensus"}


def test_what_cannot_be_is_refused_with_the_way_out(tmp_path: Path) -> None:
    for name, overrides, said in (
            ("capacity", (), "N_PRE a larger one"), ("multi_task", (), "MORE_N_PRE"), ("label_nature", (), "--lists"),
            ("consensus", (), "a consensus of one labelling is that labelling.*CLUSTER.NUM_RESTARTS"),
            ("nonsense", (), "there are labels_unsup")):
        with pytest.raises(ConfigError, match=said):
            go(tmp_path, name, *overrides)
    with pytest.raises(ConfigError, match="--values 1.5: give whole numbers"):
        go(tmp_path, "num_clusters", values="1.5")
    with pytest.raises(ConfigError, match="3 clusters|2 clusters for the 3 labels"):
        go(tmp_path, "labels_unsupervised_vs_per_label", values="2")
    for name in ("label_noise", "num_labels", "label_nature"):
        for nothing_learned in (("N_PRE.WEIGHTS", "w"), ("MODALITY", "image", "N_PRE.TASK", "rotnet")):
            with pytest.raises(ConfigError, match=f"{name} changes the labels.*leave N_PRE.WEIGHTS and N_PRE.TASK out"):
                go(tmp_path, name, *nothing_learned)
    assert not (tmp_path / "out").exists()


def test_missing_data_is_named_and_the_plan_still_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "toy.yaml"
    config.write_text(CONFIG.format(out=tmp_path / "out"))
    for name in ("num_clusters", "num_labels", "cluster_share", "labels_unsupervised_vs_per_label"):
        request = Request(name, [config], "c", ["D_PRE.PATH", "nowhere", "D_PRE.EXPECTED_ROWS", "1000"], dry_run=True)
        assert ablate(TOY, request) == 3
        said = " ".join(capsys.readouterr().out.split())
        assert "D_PRE.PATH: nowhere" in said
        assert "Plan" in said
        with pytest.raises(DataError, match="D_PRE.PATH: nowhere"):
            ablate(TOY, Request(name, [config], "c", ["D_PRE.PATH", "nowhere"]))


def test_it_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = go(tmp_path, "num_clusters", values="3")
    capsys.readouterr()
    both = go(tmp_path, "num_clusters", values="3 5")
    said = capsys.readouterr().out
    assert "train_cf seed 0: n_cf, k3: re-used" in said
    assert "train_cf seed 0: n_cf, k5: running" in said
    assert both[("n_cf_k3", 0)] == first[("n_cf", 0)]
    folder = tmp_path / "out/ablations/num_clusters"
    assert "sweep_1.png" in {path.name for path in folder.iterdir()}
    # Nothing of the page before lies beside the one now, and what is not of a page stays.
    (folder / "notes.txt").touch()
    go(tmp_path, "num_clusters", values="3")
    assert {"sweep_1.png", "notes.txt"} & {path.name for path in folder.iterdir()} == {"notes.txt"}


def test_two_ablations_of_the_same_stages_have_a_page_each(tmp_path: Path) -> None:
    all_of_them = ("BASELINES", "[n_pre_2x, distillation, prototype]")
    titles = []
    for name in ("num_clusters", "baselines"):
        go(tmp_path, name, *all_of_them, values="3")
        titles += re.findall(r"<title>([\w ]+)", (tmp_path / f"out/ablations/{name}/report.html").read_text())
    assert made(tmp_path, "train_cf") == 3
    assert titles == ["Number of clusters", "Baselines"]


def test_one_value_is_no_sweep(tmp_path: Path) -> None:
    go(tmp_path, "num_clusters", values="3")
    names = {path.name for path in (tmp_path / "out/ablations/num_clusters").iterdir()}
    assert "probes.png" in names
    assert "sweep_1.png" not in names


def test_every_ablation_is_tested_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in ABLATIONS if f'"{name}"' not in source] == []


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_says_in_one_line_what_it_compares(name: str) -> None:
    first = (ABLATIONS[name].__doc__ or "").splitlines()[0]
    assert first.endswith(".")
    assert f"| `{name}` |" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "said"), [
    ("label_noise", "--values 0 25 50 75"), ("num_labels", "--values 10 100 all"), ("iterate", "--values 3"),
    ("num_clusters", "--values 400 800"), ("cluster_share", "--values 64 256 all")])
def test_values_that_are_none_are_answered_with_some_that_are(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"--values banana: give whole numbers of at least \d, such as {said}$"):
        go(tmp_path, name, values="banana", dry_run=True)
