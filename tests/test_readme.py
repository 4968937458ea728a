"""README.md says nothing that is not so: its commands are CI's, its files, keys, flags and exit codes exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from cfvideo.core import errors, specs
from tests.source_tree import ROOT, listed_files

README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci/run").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
# What makes README's first command small enough for CI.
SMALLER = {
    "python tools/make_demo_data.py": "python tools/make_demo_data.py --size small --out data/demo_small",
    "configs/demo.yaml": "configs/demo_small.yaml",
}
MADE_BY_RUNNING = ("data/", "runs/", "weights/")
TOOLS = sorted((ROOT / "tools").glob("*.py"))


def function_body(name: str) -> str:
    """The body of a shell function of .ci/run that is written as `name() ( ... )`."""
    match = re.search(rf"^{name}\(\) \(\n(.*?)^\)$", CI, flags=re.DOTALL | re.MULTILINE)
    assert match is not None, f".ci/run has no {name}"
    return match.group(1)


def test_readme_has_the_two_commands() -> None:
    assert len(BLOCKS) == 2


def test_ci_runs_the_second_command_literally() -> None:
    assert function_body("tests") == BLOCKS[1]


def test_ci_runs_the_first_command_with_nothing_but_its_size_changed() -> None:
    smaller = BLOCKS[0]
    for large, small in SMALLER.items():
        assert smaller.count(large) == 1
        smaller = smaller.replace(large, small)
    assert function_body("small_demo") == smaller


def test_ci_calls_both_in_new_environments_and_the_tests_last() -> None:
    calls = [line for line in CI.splitlines() if line in ("small_demo", "tests") or line.startswith("rm -rf .venv")]
    assert [call.split(" data/")[0] for call in calls] == ["rm -rf .venv", "small_demo", "rm -rf .venv", "tests"]
    assert CI.rstrip().endswith("\ntests")


@pytest.mark.parametrize("script", [".ci/run"])
def test_ci_is_a_valid_script_that_may_be_executed(script: str) -> None:
    assert (ROOT / script).stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", script], cwd=ROOT, check=False).returncode == 0


def test_a_failing_link_of_a_command_fails_ci(tmp_path: Path) -> None:
    """`set -e` ignores a failure inside an && list, so the functions must pass it on."""
    script = tmp_path / "run"
    broken = CI
    for old, new in (("python3 -m venv .venv", "false"), ('"$(dirname "$0")/.."', '"$(dirname "$0")"'),
                     ("\ninstall_chromium\n", "\n")):
        assert old in broken
        broken = broken.replace(old, new)
    script.write_text(broken, encoding="utf-8")
    done = subprocess.run(["bash", str(script)], check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "second command" not in done.stdout


def test_a_hung_test_run_fails_ci_and_leaves_no_process(tmp_path: Path) -> None:
    hung, pid = tmp_path / "pytest", tmp_path / "pid"
    hung.write_text(f"#!/bin/sh\nsleep 60 & echo $! >{pid}\nwait\n", encoding="ascii")
    hung.chmod(0o755)
    guard = re.search(r"^pytest\(\) \{.*?^\}$", CI, flags=re.DOTALL | re.MULTILINE)
    assert guard is not None
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTEST_LIMIT": "5"}
    done = subprocess.run(["bash", "-euc", f"{guard[0]}\npytest -q"], check=False, stdin=subprocess.DEVNULL,
                          env=environment, timeout=120)
    assert done.returncode == 124
    number = int(pid.read_text())
    for _ in range(100):  # the signal reaches it while its parent is being waited for
        if not _runs(number):
            break
        time.sleep(0.1)
    assert not _runs(number)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_no_page_names_a_file_that_is_not_there() -> None:
    assert list(_missing_files(ROOT / "README.md")) == []


def _missing_files(page: Path) -> Iterator[str]:
    """Paths in backticks and in the commands, but for what a run makes."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"(?<![\w/.<-])((?:\.?\w+/)+[\w.-]*|\w+\.(?:py|yaml|toml|ini))(?![\w/])", text):
        if not name.startswith((*MADE_BY_RUNNING, ".venv/")) and not (ROOT / name).exists():
            yield name


@pytest.mark.parametrize("page", [path for path in listed_files() if path.suffix == ".md"], ids=str)
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (ROOT / page.parent / link).exists()] == []


def keys_of(spec: type, prefix: str = "") -> Iterator[str]:
    """Every key as YAML writes it, groups too; <NAME> where the user chooses the name."""
    defaults = spec()
    for one in fields(defaults):
        key, value = prefix + one.name.upper(), getattr(defaults, one.name)
        yield key
        if "open" in one.metadata:
            yield from keys_of(one.metadata["open"], f"{key}.<NAME>.")
        elif is_dataclass(value):
            yield from keys_of(type(value), f"{key}.")


def test_the_walk_over_keys_finds_nested_and_open_ones() -> None:
    keys = set(keys_of(specs.RunSpec))
    assert {"N_PRE.CLIP.NUM_FRAMES", "D_TAR.<NAME>.TRAIN", "OUTPUT_DIR", "CLUSTER"} <= keys
    assert "CLUSTER.K" not in keys


def test_every_key_that_readme_names_exists() -> None:
    named = set(re.findall(r"(?<![\w.])[A-Z][A-Z_]+(?:\.(?:[A-Z][A-Z_]+|<NAME>))+(?![\w.]*\w)", README))
    named |= {"OUTPUT_DIR", "SEEDS"} & set(re.findall(r"\w+", README))
    assert len(named) > 8
    assert named - set(keys_of(specs.RunSpec)) == set()


def table_rows(text: str) -> list[tuple[int, str]]:
    return [(int(code), meaning) for code, meaning in re.findall(r"^\| (\d+) \| (.+?) \|$", text, flags=re.MULTILINE)]


def test_the_exit_codes_are_those_of_the_errors() -> None:
    subclasses = {value.exit_code for value in vars(errors).values()
                  if isinstance(value, type) and issubclass(value, errors.CfError) and value is not errors.CfError}
    assert table_rows(README) == table_rows(errors.__doc__ or "")
    assert {code for code, _ in table_rows(README)} == subclasses | {0}


def test_the_formats_are_those_of_the_schema() -> None:
    section = README.split("## Your own data")[1].split("## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == specs.FORMATS


@pytest.fixture(scope="module")
def helps() -> str:
    """What every tool says about its own flags."""
    done = [subprocess.run([sys.executable, tool, "--help"], cwd=ROOT, capture_output=True, text=True, check=True,
                           env={**os.environ, "PYTHONPATH": str(ROOT)}) for tool in TOOLS]
    return "\n".join(one.stdout for one in done)


def test_every_flag_that_readme_names_exists(helps: str) -> None:
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert {"--cfg", "--stages", "--dry-run", "--help-config", "--opts"} <= flags
    assert flags - set(re.findall(r"--[a-z][a-z-]+", helps)) == set()


@pytest.mark.parametrize("setting", ["configs/demo.yaml", "configs/demo_small.yaml", "configs/ig_verb.yaml"])
def test_the_configs_exist(setting: str) -> None:
    assert (ROOT / setting).is_file()
