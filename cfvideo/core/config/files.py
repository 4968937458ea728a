"""Config files and their `_BASE_` files -> settings, in the order in which they override each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from cfvideo.core.config.settings import BASE_KEY, Setting, parse_file
from cfvideo.core.errors import ConfigError

# A hundred times a large config; PyYAML needs up to two seconds for a megabyte.
MAX_BYTES = 256 * 1024
MAX_FILES = 32


def files_and_pairs(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """What stands behind --cfg: config files, and the KEY VALUE pairs that a flag of several words swallows. The first
    word after the first file that does not end in .yaml begins the pairs."""
    more = list(takewhile(lambda word: word.endswith((".yaml", ".yml")), words[1:]))
    return [Path(word) for word in (*words[:1], *more)], list(words[1 + len(more):])


def read_settings(path: Path) -> list[Setting]:
    """The settings of `path`, its `_BASE_` files' first. Where a key comes twice, the later one holds.

    `_BASE_` names one file or a list of them, relative to the file it stands in. They must lie in the config root: the
    `configs` folder that `path` is in, or else the folder of `path`.

    Raises:
        ConfigError: a file is missing, too large or not a config; `_BASE_` leads out of the root or into a circle.
    """
    return _Reading(config_root(path)).read(path, "--cfg", ())


def config_root(path: Path) -> Path:
    """The folder that `_BASE_` cannot leave."""
    folder = path.absolute().parent.resolve()
    return next((parent for parent in (folder, *folder.parents) if parent.name == "configs"), folder)


class _Reading:
    """One outermost file and all that it is based on."""

    def __init__(self, root: Path) -> None:
        self._root, self._num_files = root, 0

    def read(self, path: Path, where: str, inside: tuple[Path, ...]) -> list[Setting]:
        """The settings of `path`, which is named at `where` and is the base of the files `inside`."""
        self._num_files += 1
        if self._num_files > MAX_FILES:
            raise ConfigError(f"{where}: more than {MAX_FILES} {BASE_KEY} files: refused")
        own = parse_file(_read_text(path, where), f"{path}")
        settings: list[Setting] = []
        for setting in own:
            if setting.key.partition(".")[0] == BASE_KEY:
                settings += self._bases(setting, path, (*inside, path.resolve()))
        return settings + [setting for setting in own if setting.key.partition(".")[0] != BASE_KEY]

    def _bases(self, setting: Setting, path: Path, inside: tuple[Path, ...]) -> list[Setting]:
        names = setting.value if isinstance(setting.value, tuple) else (setting.value,)
        if setting.key != BASE_KEY or not all(isinstance(name, str) and name for name in names):
            raise ConfigError(f"{setting.where}: {BASE_KEY}: {setting.text} is not allowed; allowed: the path of a "
                              "config file or a list of them")
        found: list[Setting] = []
        for name in map(str, names):
            base = path.parent / name
            self._allow(base, f"{setting.where}: {BASE_KEY}: {name!r}", inside)
            found += self.read(base, setting.where, inside)
        return found

    def _allow(self, base: Path, said: str, inside: tuple[Path, ...]) -> None:
        try:
            real = base.resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a NUL in the name
            raise ConfigError(f"{said} is no usable path: {error}") from error
        if not real.is_relative_to(self._root):
            raise ConfigError(f"{said} lies outside the config root {self._root}: move it there, or give both files to "
                              "--cfg")
        if real in inside:
            chain = " -> ".join(file.name for file in (*inside[inside.index(real):], real))
            raise ConfigError(f"{said} goes round in a circle: {chain}")


def _read_text(path: Path, where: str) -> str:
    try:
        if not path.is_file():  # checked before opening: a pipe would block, a device never ends
            raise ConfigError(f"{where}: {path} is {'not a file' if path.exists() else 'missing'}")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path}: over {MAX_BYTES:,} bytes, which no config is: refused")
        return data.decode("utf-8")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path, or bytes that are not UTF-8
        raise ConfigError(f"{path}: cannot be read: {error}") from error
