"""The import rule: who may import whom, and that the core needs no decoder and no clustering library."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.source_tree import PACKAGES, ROOT, imports, is_below, module_name, python_files

OURS = (*PACKAGES, "tools", "tests")
# Folder or file -> what of ours it may import. The first match counts.
MAY_IMPORT: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("tools/*", PACKAGES),
    ("cfvideo/core/*", ("cfvideo.core",)),
    ("cfvideo/data/*", ("cfvideo.core", "cfvideo.data")),
    ("cfvideo/models/*", ("cfvideo.core", "cfvideo.models")),
    ("cfvideo/demo_data/*", ("cfvideo.core", "cfvideo.demo_data")),
    ("cfvideo/modalities.py", ("cfvideo.core", "cfvideo.modality", "cfimage.modality")),
    ("cfvideo/*", ("cfvideo",)),
    ("cfimage/*", ("cfvideo.core", "cfimage")),
)
# Third-party package -> the only files that may import it.
SOLE_IMPORTERS = {"faiss": "cfvideo/bench/kmeans*.py", "fvcore": "cfvideo/core/config/*.py"}
ABSENT = ("decord", "av", "nvidia.dali", "pytorchvideo", "faiss")
# Imported only where a user names them, with a message that says what to install.
OPTIONAL = ("decord", "pytorchvideo")
# Import name -> name to install, where they differ.
INSTALLED_AS = {"PIL": "pillow", "yaml": "pyyaml", "sklearn": "scikit-learn", "faiss": "faiss-cpu",
                "nvidia": "nvidia-dali-cuda130"}


def forbidden_imports(path: Path, allowed: tuple[str, ...]) -> list[str]:
    return [f"{path}:{line}: {name}" for line, name in imports(path)
            if is_below(name, *OURS) and not is_below(name, *allowed)]


def test_every_import_goes_the_way_of_the_rule() -> None:
    violations = []
    for path in python_files(*PACKAGES, "tools"):
        allowed = next(allowed for pattern, allowed in MAY_IMPORT if fnmatch(path.as_posix(), pattern))
        violations += forbidden_imports(path, allowed)
    assert violations == []


def test_the_core_imports_the_core_alone() -> None:
    """Spelt out, so that a slip in the table above cannot open it."""
    names = [name for path in python_files("cfvideo/core") for _, name in imports(path)]
    assert [name for name in names if is_below(name, *OURS) and not is_below(name, "cfvideo.core")] == []
    assert len(names) > 20


@pytest.mark.parametrize(("package", "importer"), SOLE_IMPORTERS.items())
def test_a_fenced_package_has_one_importer(package: str, importer: str) -> None:
    found = [path.as_posix() for path in python_files(*PACKAGES, "tools")
             if any(is_below(name, package) for _, name in imports(path))]
    assert [path for path in found if not fnmatch(path, importer)] == []


def test_every_third_party_import_is_a_declared_requirement(declared: set[str]) -> None:
    """The demo runs without the extra `test`, so nothing that it imports may come from there alone."""
    undeclared = [f"{path}:{line}: {name}" for path in python_files(*PACKAGES, "tools")
                  for line, name in imports(path, with_typing=False)
                  if not is_below(name, *OURS, *OPTIONAL) and name.split(".")[0] not in sys.stdlib_module_names
                  and INSTALLED_AS.get(name.split(".")[0], name.split(".")[0]) not in declared]
    assert undeclared == []


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Distributions that setup.py requires, always or through an extra other than `test`."""
    found: dict[str, Any] = {}
    stand_in = SimpleNamespace(setup=found.update, find_packages=lambda **_: [])
    monkeypatch.setitem(sys.modules, "setuptools", stand_in)
    runpy.run_path(str(ROOT / "setup.py"))
    extras = {name: lines for name, lines in found["extras_require"].items() if name != "test"}
    lines = [*found["install_requires"], *(line for extra in extras.values() for line in extra)]
    return {re.split(r"[<>=;!~ ]", line)[0].lower() for line in lines}


def core_modules() -> list[str]:
    return [module_name(path) for path in python_files("cfvideo/core", "cfimage")]


BLOCKER = """
import importlib, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in {absent!r}):
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
failures = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failures.append(f"{{name}}: {{error}}")
sys.exit("\\n".join(failures) or None)
"""


@pytest.fixture
def import_without_optionals() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Imports modules in a new interpreter that cannot see the packages of ABSENT."""

    def run(*modules: str) -> subprocess.CompletedProcess[str]:
        script = BLOCKER.format(absent=ABSENT)
        return subprocess.run([sys.executable, "-c", script, *modules], cwd=ROOT, capture_output=True, text=True,
                              check=False, timeout=300)

    return run


def test_the_core_and_cfimage_import_without_decoders_and_faiss(
        import_without_optionals: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = import_without_optionals(*core_modules())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ABSENT)
def test_the_blocker_blocks(package: str,
                            import_without_optionals: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = import_without_optionals(package)
    assert done.returncode == 1
    assert f"{package} is blocked" in done.stderr
