"""House rules that a tool can check: sizes, names, broad excepts, global random state, what lies where."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source_tree import PACKAGES, ROOT, listed_files, parse, python_files

SOURCE = python_files(*PACKAGES, "tools")
MAX_FILE_LINES = 200
MAX_FUNCTION_LINES = 40
VAGUE_NAMES = ("utils", "util", "misc", "helpers", "helper", "common", "base")
TOP_LEVEL = {"cfvideo", "cfimage", "configs", "tools", "tests", "setup.py", "README.md", "LICENSE", ".ci", ".github",
             ".gitignore", ".gitattributes", ".ruff.toml", ".mypy.ini", ".pytest.ini", ".pre-commit-config.yaml"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_the_source_was_found() -> None:
    assert len(SOURCE) > 10


def test_no_file_is_longer_than_a_reader_likes() -> None:
    lengths = {path.as_posix(): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in SOURCE}
    assert {path: length for path, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = {f"{path}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
               for path in SOURCE for node in ast.walk(parse(path)) if isinstance(node, Function)}
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [path for path in listed_files() if path.stem.strip("_") in VAGUE_NAMES] == []


def test_the_top_level_holds_nothing_unexpected() -> None:
    assert {path.parts[0] for path in listed_files()} - TOP_LEVEL == set()


def broad_handlers(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    """`except:`, `except Exception:` and their like; clean-up that ends in a bare `raise` may catch BaseException."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = {"" if one is None else ast.unparse(one).split(".")[-1] for one in caught}
        last = node.body[-1]
        passes_on = isinstance(last, ast.Raise) and last.exc is None
        if names & {"", "Exception"} or ("BaseException" in names and not passes_on):
            yield node


@pytest.mark.parametrize(("handler", "is_broad"), [
    ("except: pass", True), ("except Exception: raise", True), ("except (OSError, Exception) as e: print(e)", True),
    ("except BaseException: pass", True), ("except BaseException: close(); raise", False),
    ("except OSError: pass", False), ("except builtins.Exception: pass", True)])
def test_broad_handlers_are_recognised(handler: str, is_broad: bool) -> None:
    assert bool(list(broad_handlers(ast.parse(f"try:\n    work()\n{handler}")))) is is_broad


def test_nothing_is_caught_broadly() -> None:
    assert [f"{path}:{node.lineno}" for path in SOURCE for node in broad_handlers(parse(path))] == []


SEEDED = re.compile(r"(np|numpy)\.random\.(default_rng|Generator|SeedSequence|PCG64|Philox|BitGenerator)")
GLOBAL_STATE = re.compile(r"(np|numpy)\.random\.\w+|random\.\w+|torch\.(cuda\.)?(manual_)?seed(_all)?|"
                          r"torch\.(cuda\.|random\.)?(get|set)_rng_state\w*|torch\.random\.\w+")
# These draw from the global state unless they are handed a generator.
DRAWS = re.compile(r"torch\.(rand|randn|randint|randperm|normal|bernoulli|multinomial|poisson)(_like)?|"
                   r".*\.(uniform_|normal_|random_|bernoulli_|exponential_|kaiming_\w+|xavier_\w+|trunc_normal_)")


def uses_global_randomness(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    if SEEDED.fullmatch(name):
        return name.endswith("default_rng") and not call.args and not call.keywords
    if GLOBAL_STATE.fullmatch(name):
        return True
    return bool(DRAWS.fullmatch(name)) and "generator" not in {keyword.arg for keyword in call.keywords}


@pytest.mark.parametrize(("call", "is_global"), [
    ("np.random.rand(3)", True), ("np.random.seed(0)", True), ("np.random.default_rng()", True),
    ("np.random.default_rng([1, 2])", False), ("random.shuffle(x)", True), ("torch.manual_seed(0)", True),
    ("torch.cuda.manual_seed_all(0)", True), ("torch.randn(3)", True), ("torch.randn(3, generator=g)", False),
    ("torch.Generator().manual_seed(0)", False), ("weight.normal_()", True), ("weight.normal_(generator=g)", False),
    ("nn.init.kaiming_normal_(w)", True), ("rng.random(3)", False), ("rng.permutation(3)", False)])
def test_global_randomness_is_recognised(call: str, is_global: bool) -> None:
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    assert uses_global_randomness(node) is is_global


def test_nothing_draws_from_global_random_state() -> None:
    calls = [(path, node) for path in SOURCE for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    assert [f"{path}:{node.lineno}: {ast.unparse(node)}" for path, node in calls if uses_global_randomness(node)] == []


def code_folders() -> list[Path]:
    """Folders of the packages and tools that hold Python; the folders below tests/ mirror them."""
    return sorted({path.parent for path in SOURCE} | {Path("tests")})


@pytest.mark.parametrize("folder", code_folders(), ids=str)
def test_each_folder_says_what_lives_in_it(folder: Path) -> None:
    readme = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    present = {path.name for path in (ROOT / folder).glob("*.py")} - {"__init__.py"}
    named = set(re.findall(r"`([\w.-]+\.py)`", readme))
    if folder != Path("tests"):
        assert present - named == set(), "not described"
    assert {name for name in named if not list((ROOT / folder).rglob(name))} == set(), "described, but absent"
