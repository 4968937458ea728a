"""The sentences follow the numbers, whichever way they point."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from cfvideo.core.report.console import console_table
from cfvideo.core.report.data import ProbeResult, ReportData
from cfvideo.core.report.verdict import verdict
from tests.core.report.sample import FINE, HOSTILE, MOTION, curve, probe, probes, sample


def sentences(*results: ProbeResult) -> str:
    return "\n".join(verdict(ReportData("t", "c", "", probes=results)))


def trio(untrained: float, n_pre: float, n_cf: float, seed: int = 0) -> list[ProbeResult]:
    values = {"untrained": untrained, "n_pre": n_pre, "n_cf": n_cf}
    return [probe(network, "motion", seed, value) for network, value in values.items()]


def printed(data: ReportData, width: int = 100) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(console_table(data))
    return console.export_text()


def test_a_lost_seed_is_said() -> None:
    text = sentences(*probes("motion", MOTION))
    assert "better than N_pre in 2 of 3 cases, worse in 1, equal in 0" in text
    assert "N_cf beat N_pre on 2 of 3 seeds (lost: seed 2), mean difference +3.0 points (spread 3.7" in text
    assert "seed 2: −1.2" in text
    assert "no clear result" in text


def test_a_clean_win_is_weighed() -> None:
    text = sentences(*probes("fine", FINE))
    assert "beat N_pre on 3 of 3 seeds, mean difference +4.0 points" in text
    assert "once in 8 runs" in text
    assert "Both are above the untrained network (23.1)" in text


def test_a_clean_loss_is_called_one() -> None:
    text = sentences(*trio(0.2, 0.6, 0.5, 0), *trio(0.2, 0.7, 0.5, 1))
    assert "N_cf beat N_pre on 0 of 2 seeds (lost: seeds 0, 1), mean difference −15.0 points" in text
    assert "ClusterFit hurt here" in text


def test_one_seed_settles_nothing() -> None:
    text = sentences(*trio(0.2, 0.5, 0.6))
    assert "difference +10.0 points. A single seed gives no spread" in text
    assert "spread 0.0" not in text


def test_no_difference_is_no_win() -> None:
    text = sentences(*trio(0.2, 0.5, 0.5, 0), *trio(0.2, 0.5, 0.5, 1))
    assert "beat N_pre on 0 of 2 seeds (equal: seeds 0, 1)" in text
    assert "No difference at all" in text


def test_an_untrained_network_that_beats_both_is_said() -> None:
    text = sentences(*trio(0.74, 0.627, 0.701))
    assert "untrained network (74.0) is as good as or better than both N_pre (62.7) and N_cf (70.1)" in text
    assert "no evidence for ClusterFit" in text


def test_an_untrained_network_between_the_two_is_said() -> None:
    assert "better than N_pre (62.7); only N_cf (76.5) is above it, by +2.5" in sentences(*trio(0.74, 0.627, 0.765))
    assert "better than N_cf (62.7): ClusterFit lost what N_pre (76.5)" in sentences(*trio(0.74, 0.765, 0.627))


def test_without_the_untrained_network_nothing_is_claimed_of_training() -> None:
    assert "what training is worth here is not shown" in sentences(*trio(0.2, 0.5, 0.6)[1:])


def test_the_test_sets_resolution() -> None:
    # sqrt(0.5 * 0.5 / 400) = 0.025
    assert "With 400 test rows, one standard error of a single accuracy is about 2.5 points" in sentences(
        *trio(0.2, 0.5, 0.6))


def test_undecodable_test_rows_are_said() -> None:
    results = [ProbeResult(name, "t", 0, {"top1": 0.5}, 90, 10, 1.0) for name in ("n_pre", "n_cf")]
    assert "10 undecodable test rows are left out" in sentences(*results)
    unlabelled = [replace(one, num_invalid_rows=0, num_unlabelled_rows=7) for one in results]
    assert "7 test rows without a label are left out" in sentences(*unlabelled)
    assert "undecodable" not in sentences(*unlabelled)


def test_missing_parts() -> None:
    assert verdict(ReportData("t", "c", "")) == ["No target task was probed, so this run says nothing about transfer."]
    text = sentences(probe("n_pre", "t", 0, 0.5), probe("n_cf", "t", 1, 0.6))
    assert "No seed has both N_pre and N_cf" in text
    assert "nothing compares N_cf with N_pre" in text


def test_further_clusterfit_networks_are_judged_too() -> None:
    text = sentences(*trio(0.2, 0.5, 0.6), probe("n_cf_k400", "motion", 0, 0.4))
    assert "N_cf k400 beat N_pre on 0 of 1 seed (lost: seed 0)" in text
    assert "in 1 of 2 cases, worse in 1" in text


def test_the_console_table_shows_every_number() -> None:
    text = printed(sample())
    for shown in ("untrained", "59.4 ± 1.6", "57.8 61.0 59.5", "N_cf - N_pre", "+3.0 ± 3.7", "+5.8 +4.5 −1.2",
                  "motion_x_speed", "seeds (0, 1, 2)", "training labels"):
        assert shown in text
    assert "motion: N_cf beat N_pre on 2 of 3 seeds" in text
    assert "(lost: seed 2)" in " ".join(text.split())


def test_the_console_marks_the_seed_that_did_not_run() -> None:
    data = ReportData("t", "c", "", probes=[*trio(0.2, 0.5, 0.6, 0), *trio(0.2, 0.5, 0.7, 1)[:2]])
    assert "60.0 -" in printed(data)


def test_the_console_with_one_seed_or_none() -> None:
    data = ReportData("t", "c", "", probes=trio(0.2, 0.5, 0.6), curves=[curve("n_pre", 0, 0.3)])
    assert "one seed (0): no spread" in printed(data)
    assert "no target task was probed" in printed(ReportData("t", "c", ""))


def test_hostile_names_are_inert_on_the_console() -> None:
    results = [probe("n_pre", name, 0, 0.5) for name in ("[red]x[/red]", "[/oops]", *HOSTILE)]
    text = printed(ReportData("[bold]t\x1b[2J", "c", "", probes=results), width=900)
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
    assert "\\x1b[2J" in text
