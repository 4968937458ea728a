"""The confusion matrix as a picture: shares of the true class's rows, whatever the number of classes."""

from __future__ import annotations

import numpy as np
import pytest

from cfvideo.core.evaluation.tables import figures_table, shares, worst_classes


def test_shares_are_of_the_true_classes_rows_and_no_guess_is_no_share() -> None:
    found = shares([[0, 0, 3], [0, 1, 1], [1, -1, 2], [1, 0, 2]], 3)
    assert found.tolist() == [[0.75, 0.25, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("num_classes", [501, 1000, 8142])
def test_many_classes_share_cells_and_a_right_guess_stays_on_the_diagonal(num_classes: int) -> None:
    found = shares([[label, label, 2] for label in range(num_classes)], num_classes)
    assert np.array_equal(found, np.eye(500))


def test_tables_leave_out_what_nothing_is_known_of() -> None:
    lines = [{"class": f"c{label}", "num_rows": label % 2, "accuracy": 1.0 - label / 100 if label % 2 else None}
             for label in range(40)]
    table = worst_classes(lines)
    assert table.row_count == 15
    assert table.caption == "5 more in classes.csv"
    results = {"linear": {"res5": {"top1": 0.5, "holdout": 0.4}}, "low_shot": {"res5": {"shots": {}}}}
    table = figures_table({"results": results, "num_test_rows": 3, "protocol": {"num_clips": 10, "solver": "lbfgs"}})
    assert table.row_count == 1
    assert list(table.columns[0].cells) == ["linear probe, res5"]
    assert table.caption == "logistic regression to convergence (L-BFGS); features averaged over 10 views of each row"
