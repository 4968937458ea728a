"""Which network file is meant: a file, a stage's folder, or a network of an OUTPUT_DIR."""

from __future__ import annotations

import re
from pathlib import Path

from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.network_file import FILE_NAME
from cfvideo.core.stage import Artefact
from cfvideo.core.store import MANIFEST, read_manifest


def network_file_in(source: Path, network: str, seed: int) -> Path:
    """The weights.safetensors that `source` means; one of a finished stage is verified against its manifest.

    network: n_pre, n_cf, untrained ..., where `source` is an OUTPUT_DIR; the newest where there are several.

    Raises:
        ConfigError: there is none, with those that there are.
        IntegrityError: a finished one was changed.
    """
    if source.is_file():
        return source
    if (source / MANIFEST).is_file():
        return Artefact(source, read_manifest(source)).file(FILE_NAME)
    if (source / FILE_NAME).is_file():
        return source / FILE_NAME
    there = _networks(source)
    if (seed, network) not in there:
        names = ", ".join(f"{name} of seed {seed}" for seed, name in sorted(there)) or "none"
        raise ConfigError(f"{source}: no finished network {network!r} of seed {seed}; choose with --network and --seed "
                          f"among: {names}")
    return there[seed, network].file(FILE_NAME)


def _networks(output_dir: Path) -> dict[tuple[int, str], Artefact]:
    """(seed, name) -> the newest finished stage that holds it."""
    found: dict[tuple[int, str], Artefact] = {}
    for path in sorted(output_dir.glob(f"stages/*/*/{MANIFEST}"), key=lambda path: path.stat().st_mtime_ns):
        try:
            manifest = read_manifest(path.parent)
        except IntegrityError:
            continue
        role = re.fullmatch(r"seed (\d+)(?:: (\w+)(?:, imported)?)?", manifest["role"])
        if role is not None and FILE_NAME in manifest["files"]:
            found[int(role[1]), role[2] or manifest["name"]] = Artefact(path.parent, manifest)
    return found
