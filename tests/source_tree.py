"""Reads the project's own source for the tests that guard its rules; imports none of it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("cfvideo", "cfimage")


def python_files(*folders: str) -> list[Path]:
    """Every Python file below the folders, sorted, relative to the root."""
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    """cfvideo/core/__init__.py -> cfvideo.core."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, with_typing: bool = True) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import anywhere in a file, `from a import b` as a.b.

    with_typing: include imports under `if TYPE_CHECKING:`, which nothing executes.
    """
    tree = parse(path)
    skipped = set() if with_typing else _typing_only(tree)
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _typing_only(tree: ast.Module) -> set[ast.AST]:
    guards = [node for node in ast.walk(tree) if isinstance(node, ast.If)
              and ast.unparse(node.test).endswith("TYPE_CHECKING")]
    return {inner for guard in guards for statement in guard.body for inner in ast.walk(statement)}


def is_below(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def listed_files() -> list[Path]:
    """What version control holds or would add: ignored files do not count. Relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    paths = [Path(name.decode()) for name in output.split(b"\0") if name]
    return [path for path in paths if (ROOT / path).exists()]
