"""The command that freezes a data set: what it writes and prints, and its exit codes."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pyarrow.parquet
import pytest

from cfvideo.core.config import load_run_spec
from cfvideo.core.index import Index
from cfvideo.data.formats import read_index
from tests.format_files import touch, write_list
from tests.source_tree import ROOT


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_index", ROOT / "tools" / "build_index.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _signals_stay() -> object:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def weak(folder: Path) -> Path:
    touch(folder, "a.mp4", "b.mp4")
    records = ({"path": f"{name}.mp4", "tags": tags} for name, tags in
               (("a", ["x", "rare"]), ("b", ["x"]), ("gone", ["x"]), ("none", [])))
    return write_list(folder, "\n".join(map(json.dumps, records)).encode(), "tags.jsonl")


def test_what_it_writes_and_prints(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, parquet = tmp_path / "x.arrow", tmp_path / "x.parquet"
    assert tool.main(["--format", "weak_labels", "--path", str(weak(tmp_path)), "--out", str(out), "--parquet",
                      str(parquet), "--min-rows-per-label", "2"]) == 0
    said = capsys.readouterr().out
    index = Index.load(out, tmp_path)
    assert (index.num_rows, index.label_names) == (4, ("x",))
    for expected in (r"rows +4, 1 of them without a label", r"labels +1$", r"missing +2$", r"bytes +8$",
                     rf"sha256 +{index.content_hash}$"):
        assert re.search(f"^{expected}", said, re.MULTILINE), (expected, said)
    assert pyarrow.parquet.read_table(parquet).num_rows == 4
    assert not list(tmp_path.glob("*.tmp"))


def test_the_config_lines_work(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other").mkdir()
    out = tmp_path / "other" / "x: {1}, .arrow"
    assert tool.main(["--format", "weak_labels", "--path", str(weak(tmp_path)), "--out", str(out)]) == 0
    line = capsys.readouterr().out.rstrip().rpartition("To use it: ")[2]
    (tmp_path / "run.yaml").write_text(line)
    source = load_run_spec([tmp_path / "run.yaml"]).d_pre
    index = read_index(format=source.format, path=Path(source.path), root=Path(source.root))
    assert index.content_hash == read_index(format="weak_labels", path=weak(tmp_path)).content_hash
    assert index.path_of(0).read_bytes() == b"1234"


def test_a_test_split_in_the_space_of_the_training_split(tool: ModuleType, tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "train/b/1.mp4", "test/b/1.mp4")
    for split, more in (("train", []), ("test", ["--labels", str(tmp_path / "train.arrow")])):
        assert tool.main(["--format", "kinetics", "--path", str(tmp_path / split), "--out",
                          str(tmp_path / f"{split}.arrow"), *more]) == 0
    test = Index.load(tmp_path / "test.arrow", tmp_path)
    assert (test.label_names, test.labels_of(0).tolist()) == (("a", "b"), [1])


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["--path", "no.jsonl", "--out", "x.arrow"], 3, "no.jsonl: the list cannot be read"),
    (["--path", "bad.jsonl", "--out", "x.arrow"], 3, "bad.jsonl:2: not JSON"),
    (["--path", "tags.jsonl", "--out", "x.arrow", "--labels", "no.txt"], 3, "no.txt"),
    (["--path", "tags.jsonl", "--out", "x.txt"], 2, "ends in .arrow"),
    (["--path", "tags.jsonl", "--out", "x.arrow", "--min-rows-per-label", "0"], 2, "at least 1 row"),
    (["--path", "tags.jsonl", "--out", "no/x.arrow"], 2, "cannot be written"),
    (["--path", "tags.jsonl", "--out", "x.arrow", "--parquet", "no/x.parquet"], 2, "cannot be written"),
    (["--path", "x.arrow", "--format", "index", "--out", "y.arrow"], 6, "not an index"),
])
def test_exit_codes(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    weak(tmp_path)
    write_list(tmp_path, b'{"path": "a.mp4", "tags": []}\n{', "bad.jsonl")
    if code == 6:
        write_list(tmp_path, b"damaged", "x.arrow")
    assert tool.main(["--format", "weak_labels", *arguments]) == code
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert not list(tmp_path.glob("*.tmp"))


def test_a_wrong_command_line(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        tool.main(["--format", "kinetcs", "--path", "x", "--out", "y.arrow"])
    assert error.value.code == 2
    assert "choose from" in capsys.readouterr().err


def test_an_interrupt_leaves_nothing(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    path = write_list(tmp_path, b"".join(b"%d.mp4 0\n" % row for row in range(40_000)))

    def interrupted(**arguments: object) -> Index:
        os.kill(os.getpid(), signal.SIGINT)
        return read_index(**arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tool, "reader", lambda modality: interrupted)
    assert tool.main(["--format", "path_label", "--path", str(path), "--out", str(tmp_path / "x.arrow")]) == 5
    assert "SIGINT" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["train.txt"]


def test_it_runs_as_the_readme_says(tmp_path: Path) -> None:
    command = [sys.executable, "tools/build_index.py", "--format", "weak_labels", "--path", str(weak(tmp_path)),
               "--out", str(tmp_path / "x.arrow")]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
                          text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "FORMAT: index" in done.stdout


def test_images(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(tmp_path / "train", "n02/b.JPEG", "n01/a.JPEG")
    arguments = ["--format", "imagenet", "--path", str(tmp_path / "train"), "--out", str(tmp_path / "x.arrow")]
    assert tool.main(["--modality", "image", *arguments]) == 0
    assert Index.load(tmp_path / "x.arrow", tmp_path / "train").label_names == ("n01", "n02")
    assert tool.main(arguments) == 3
    assert "unknown format 'imagenet' of videos; allowed: kinetics," in capsys.readouterr().err
