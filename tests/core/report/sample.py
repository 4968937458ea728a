"""Invented report data of a realistic size. Numbers come from a seeded generator and mean nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cfvideo.core.report.data import (
    ClusterSummary,
    ContactSheet,
    FailureLine,
    ProbeResult,
    ReportData,
    StageLine,
    TrainingCurve,
)
from cfvideo.core.report.layout import Axis, Chart, Layout
from cfvideo.core.report.numbers import pick_clusters

HOSTILE = ("<script>alert(1)</script>.mp4", "a\"b'c&d.mp4", "line\nbreak\ttab.mp4", "bad\udcff\udc80byte.mp4",
           "-rf.mp4", "evil\u202e4pm.exe", "x" * 255, "{{ 7 * 7 }} {% raw %}", "\ud800lone",
           "nul\x00.mp4", "$\\frac{1}{2}$ é e\u0301")
# seed -> (untrained, n_pre, n_cf) in test rows won of 400
MOTION = {0: (164, 231, 254), 1: (158, 244, 262), 2: (171, 238, 233)}
FINE = {0: (92, 121, 139), 1: (97, 118, 141), 2: (88, 126, 133)}


def probe(network: str, target: str, seed: int, top1: float, **others: float) -> ProbeResult:
    return ProbeResult(network=network, target=target, seed=seed, metrics={"top1": top1, **others}, num_test_rows=400,
                       num_invalid_rows=0, strength=1.0)


def probes(target: str, table: dict[int, tuple[int, int, int]]) -> list[ProbeResult]:
    return [probe(network, target, seed, won / 400, top5=min(1.0, won / 400 + 0.21))
            for seed, row in table.items() for network, won in zip(("untrained", "n_pre", "n_cf"), row, strict=True)]


def curve(network: str, seed: int, floor: float) -> TrainingCurve:
    rng = np.random.default_rng([7, seed, len(network)])
    samples = np.arange(1, 61) * 400
    loss = floor + 3.1 * np.exp(-samples / 7000) + 0.06 * rng.standard_normal(60)
    accuracy = np.clip(1 - loss / 3.6 + 0.02 * rng.standard_normal(60), 0, 1)
    return TrainingCurve(network, seed, samples.tolist(), loss.tolist(), accuracy.tolist(), float(accuracy[-1]))


def clusters(seed: int, num_clusters: int = 60) -> ClusterSummary:
    rng = np.random.default_rng([8, seed])
    sizes = rng.multinomial(1600, rng.dirichlet(np.full(num_clusters, 2.0))).astype(np.int64)
    objective = (0.31 + 0.004 * seed + 0.2 * np.exp(-np.arange(18) / 3.0)).tolist()
    return ClusterSummary(seed, num_clusters, sizes, objective, 1.0, int((sizes == 0).sum()),
                          {"NMI with the tags": 0.412 + 0.01 * seed, "NMI with the motions": 0.583})


def picture(seed: int, height_px: int = 64, width_px: int = 64) -> NDArray[np.uint8]:
    """A bright blob over a gradient, uint8 [height_px, width_px, 3]."""
    rng = np.random.default_rng([9, seed])
    y, x = np.mgrid[0:height_px, 0:width_px]
    top, left = rng.uniform(12, height_px - 12), rng.uniform(12, width_px - 12)
    blob = 255 * np.exp(-((y - top) ** 2 + (x - left) ** 2) / 90)
    ground = np.stack([2 * y + rng.uniform(0, 90), x + rng.uniform(0, 120), 0 * x + rng.uniform(40, 160)], axis=-1)
    pixels: NDArray[np.uint8] = np.clip(ground + blob[..., None], 0, 255).astype(np.uint8)
    return pixels


def sheets(summary: ClusterSummary, count: int = 5) -> list[ContactSheet]:
    made = []
    for cluster in pick_clusters(summary.sizes, count):
        pictures = [picture(100 * cluster + member) for member in range(8)]
        captions = [f"{1000 + 13 * member}.mp4 #orbit #love" for member in range(8)]
        made.append(ContactSheet(summary.seed, cluster, int(summary.sizes[cluster]), [*pictures[:7], None], captions,
                                 [0.11 + 0.013 * member for member in range(8)]))
    return made


def failures(count: int) -> list[FailureLine]:
    return [FailureLine("D_cf", 7 + row, f"motion/{row:05d}.mp4", ("undecodable", "missing")[row % 2],
                        "Invalid data found when processing input") for row in range(count)]


def stages() -> list[StageLine]:
    status = ("run", "reused")
    names = [("pretrain", "n_pre"), ("extract", "d_cf"), ("cluster", "d_cf"), ("assign", "d_cf"), ("train_cf", "n_cf"),
             ("probe", "n_pre on motion"), ("probe", "n_cf on motion"), ("probe", "untrained on motion")]
    return [StageLine(stage, f"{role}, seed 0", f"{place:02x}" * 32, 1.7 * 4 ** (place % 4),
                      status[place == 1], 1600) for place, (stage, role) in enumerate(names)]


def sample() -> ReportData:
    """Three seeds, two targets; N_cf loses seed 2 of the first target."""
    summaries = [clusters(seed) for seed in range(3)]
    return ReportData(
        title="Invented numbers: a page to look at", command="python tools/run_net.py --cfg configs/demo.yaml",
        config_yaml="NAME: demo\nSEEDS: [0, 1, 2]\nN_PRE:\n  ARCH: r2plus1d\n  CLIP:\n    NUM_FRAMES: 8\n" * 6,
        probes=probes("motion", MOTION) + probes("motion_x_speed", FINE),
        curves=[curve(network, seed, floor) for network, floor in (("n_pre", 0.35), ("n_cf", 0.7))
                for seed in range(3)],
        clusters=summaries, sheets=sheets(summaries[0]), failures=failures(73), stages=stages(),
        facts={"torch": "2.14.1", "numpy": "2.3.0", "decoder": "PyAV 18.0",
               "D_pre": "1600 rows, index " + "5f0ca1b2" * 8},
        expectation="N_cf beats N_pre on both targets, and by more on the finer one, where N_pre has memorised its "
                    "noisy tags (Table 5: +3.2 on Kinetics, +4.3 on Sports-1M at full scale).",
        notes=["The setting was chosen on seeds 10 to 14, which are not these."])


def ablation(form: str = "lines") -> ReportData:
    """A label noise ablation: two shares, two K, two targets; the paper's numbers beside some."""
    values = {"untrained": 0.41, "n_pre_p0": 0.62, "n_pre_p50": 0.48, "n_cf_p0_k40": 0.60, "n_cf_p0_k80": 0.63,
              "n_cf_p50_k40": 0.55, "n_cf_p50_k80": 0.58}
    results = [probe(network, target, seed, value + 0.01 * seed + shift, top5=0.9) for target, shift in
               (("motion", 0.0), ("fine", -0.2)) for network, value in values.items() for seed in range(3)]
    at = {"p0": 0.0, "p50": 1.0 if form == "bars" else 50.0}
    places = {share: (place, share[1:]) for share, place in at.items()}
    points = {name: (name.replace("_p0", "").replace("_p50", ""), at[name.split("_")[2]]) for name in values
              if name != "untrained"}
    layout = Layout(
        baselines={name: f"n_pre_{name.split('_')[2]}" if "cf" in name else "" for name in values},
        chart=Chart(Axis("noise", form, "wrong labels of D_pre, %", "names" if form == "bars" else "linear", places),
                    points),
        reference={("n_cf_p0_k40", "motion"): 0.7, ("untrained", "motion"): 0.3}, legend="pN: N % are wrong")
    summaries = [replace(clusters(seed, 12), network=name, share_moved=[1.0, 0.4, 0.1]) for name in list(values)[3:]
                 for seed in range(3)]
    curves = [curve(name, seed, 0.4) for name in list(values)[1:] for seed in range(3)]
    return replace(sample(), probes=results, layout=layout, clusters=summaries, curves=curves, stages=stages() * 6,
                   sheets=[replace(sheet, network="n_cf_p0_k40") for sheet in sheets(summaries[0], 2)])


def few_rows(*, on_test: bool = False) -> ReportData:
    """SVMs from 1, 4 and 96 rows per class on two seeds."""
    results = [replace(probe(network, "motion", seed, 0.5), low_shot_on_test=on_test, low_shot={"res5": {
        k: {"mean": low + shift + 0.04 * seed, "std": 0.02 * (seed + 1), "min": 0.1, "max": 0.9}
        for k, shift in ((1, 0.0), (4, 0.1), (96, 0.2))}})
        for network, low in (("untrained", 0.1), ("n_pre", 0.3), ("n_cf", 0.4)) for seed in range(2)]
    return ReportData("few rows", "c", "", probes=results)


def hostile() -> ReportData:
    """Every string of every record is hostile."""
    name = HOSTILE[0]
    results = [replace(result, target=f"{name}{place % 2}") for place, result in enumerate(
        [probe("untrained", "t", 0, 0.3), probe(name, "t", 0, 0.3), probe("n_pre", "t", 1, 0.3)])]
    sheet = ContactSheet(0, 1, 3, [picture(0)] * len(HOSTILE), HOSTILE, [0.5] * len(HOSTILE))
    axis = Axis(name, "lines", name, "linear", {name: (0.0, name)})
    return ReportData(
        layout=Layout(chart=Chart(axis, {name: (name, 0.0)}), legend=name, baselines={name: name}),
        title=name, command=name, config_yaml="\n".join(HOSTILE), probes=[
            replace(result, metrics={"top1": 0.5, name: 0.25}) for result in results],
        curves=[replace(curve("n_pre", 0, 0.3), network=name)], clusters=[replace(clusters(0), scores={name: 0.5})],
        sheets=[sheet], failures=[FailureLine(path, row, path, path, path) for row, path in enumerate(HOSTILE)],
        stages=[StageLine(name, name, name, None, name, None)], facts={name: HOSTILE[3]}, expectation=name,
        notes=HOSTILE)
