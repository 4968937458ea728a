"""Checkpoints as other people's programs write them: networks with a history, and Python 2's pickles."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cfvideo.models.r2plus1d import Midplanes, R2Plus1D

Network = Callable[[Tensor], Tensor]


def with_history(network: Any, seed: int = 3) -> Any:
    """Drawn weights, batch statistics that are not 0 and 1; in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    network.initialise(generator)
    with torch.no_grad():
        for name, value in (*network.named_parameters(), *network.named_buffers()):
            if value.ndim == 1 and value.is_floating_point() and not name.startswith("fc."):
                value.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def small_video(midplanes: Midplanes, num_classes: int = 5) -> R2Plus1D:
    """R(2+1)D of 2, 1, 3 and 1 blocks, its two variants told apart by their shapes."""
    network = R2Plus1D(num_classes=num_classes, blocks=(2, 1, 3, 1), widths=(4, 6, 8, 10), midplanes=midplanes)
    made: R2Plus1D = with_history(network)
    return made


def data(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_same_network(imported: Network, original: Network, *shape: int) -> None:
    """Equal outputs for two items of `shape`, which tell the items apart."""
    with torch.no_grad():
        expected = original(data(2, *shape))
        torch.testing.assert_close(imported(data(2, *shape)), expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(expected[0], expected[1], rtol=1e-3)


class _Python2(pickle._Pickler):
    """Python 2's protocol 2: bytes and text are both byte strings."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value: Any) -> None:
        raw = value if isinstance(value, bytes) else value.encode("latin1")
        head = b"U" + bytes([len(raw)]) if len(raw) < 256 else b"T" + len(raw).to_bytes(4, "little")
        self.write(head + raw)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_string


def write_python2_pickle(path: Path, content: Any) -> Path:
    """As `cPickle.dump(content, file, 2)` under Python 2 and its NumPy; arrays, containers, numbers and text."""
    with path.open("wb") as file:
        _Python2(file, 2).dump(content)
    path.write_bytes(path.read_bytes().replace(b"cnumpy._core.", b"cnumpy.core."))
    return path
