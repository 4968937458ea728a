"""Networks timed: ours beside torchvision's plain modules with the same weights, interleaved, ratios paired.

On a CPU what is timed is the processor time of the process on one core; on a GPU the time until the device is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cfvideo.core.training.precision import autocast
from cfvideo.models.r2plus1d import BLOCKS, R2Plus1D

# The product whose rate is called the peak: large enough to run at it, small enough to be quick.
_PEAK_SIZE = 2048
_NUM_CLASSES = 400


@dataclass(frozen=True)
class Case:
    """One comparison: `key` as in the JSON; shape of one batch; whether a step trains."""

    key: str
    pair: Callable[[], tuple[nn.Module, nn.Module]]
    shape: tuple[int, ...]
    trains: bool = False


def _video_pair(depth: int) -> tuple[nn.Module, nn.Module]:
    """Ours and torchvision's R(2+1)D with equal weights (torchvision's mid-planes, as its modules have no others)."""
    from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D, R2Plus1dStem, VideoResNet

    ours = R2Plus1D(num_classes=_NUM_CLASSES, blocks=BLOCKS[depth], midplanes="torchvision")
    ours.initialise(torch.Generator().manual_seed(0))
    theirs = VideoResNet(block=BasicBlock, conv_makers=[Conv2Plus1D] * 4, layers=list(BLOCKS[depth]),
                         stem=R2Plus1dStem, num_classes=_NUM_CLASSES)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def _image_pair() -> tuple[nn.Module, nn.Module]:
    """torchvision's ResNet-50, laid out as `SOLVER.MEMORY_FORMAT channels_last` does and as it comes."""
    from torchvision.models import resnet50

    ours, theirs = resnet50(num_classes=1000), resnet50(num_classes=1000)
    theirs.load_state_dict(ours.state_dict())
    return cast(nn.Module, ours.to(memory_format=torch.channels_last)), theirs


def cases(mode: str, *, batch: int = 1, small: bool = False) -> list[Case]:
    """What `forward` or `train` compares; `small` is for trying the command out."""
    side, image = (32, 64) if small else (112, 224)
    video = {depth: partial(_video_pair, depth) for depth in BLOCKS}
    trains = mode == "train"
    # Two samples to a step: a batch norm must not see one alone.
    count, prefix = (2 * batch, "train_") if trains else (batch, "")
    return [Case(f"{prefix}r2plus1d_18_8f_vs_torchvision", video[18], (count, 3, 8, side, side), trains),
            Case(f"{prefix}r2plus1d_34_32f_vs_torchvision", video[34], (count, 3, 32, side, side), trains),
            Case(f"{prefix}resnet50_vs_torchvision", _image_pair, (count, 3, image, image), trains)]


def measure(wanted: Sequence[Case], *, num_rounds: int, device: torch.device, precision: str = "fp32", seed: int = 0,
            progress: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Every case `num_rounds` times, both sides in random order within a round.

    Returns the keys of `wanted` (time of torchvision over ours), and by case samples a second, share of peak, FLOPs.
    """
    rng = np.random.default_rng([seed])
    peak = matrix_product_rate(device, precision)
    found: dict[str, Any] = {"peak_gflops": round(peak / 1e9, 1), "device": _name(device), "precision": precision,
                             "rounds": num_rounds, "cases": {}}
    for case in wanted:
        steps = [_step(network.to(device), case, device, precision, own=number == 0)
                 for number, network in enumerate(case.pair())]
        seconds: list[list[float]] = [[], []]
        for number in range(num_rounds + 1):  # the first warms up
            progress(f"{case.key}: round {number} of {num_rounds}")
            for side in rng.permutation(2):
                seconds[side].append(_timed(steps[side], device))
        ours, theirs = (np.array(side[1:]) for side in seconds)
        flops = _flops(steps[1])
        found[case.key] = round(float(np.median(theirs / ours)), 3)
        found["cases"][case.key] = {
            "samples_per_second": round(case.shape[0] / float(np.median(ours)), 3), "gflop": round(flops / 1e9, 1),
            "share_of_peak": round(flops / float(np.median(ours)) / peak, 3),
            "share_of_peak_torchvision": round(flops / float(np.median(theirs)) / peak, 3)}
    return found


def _step(network: nn.Module, case: Case, device: torch.device, precision: str, *, own: bool) -> Callable[[], None]:
    """One forward pass, or forward, backward and update. Ours is fed as our loaders lay batches out."""
    data = torch.from_numpy(np.random.default_rng([1]).standard_normal(case.shape, np.float32)).to(device)
    data = data.movedim(1, -1).contiguous().movedim(-1, 1) if own else data
    if case.trains:
        network.train()
        labels = torch.arange(case.shape[0], device=device)
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
        return partial(_train, network, optimizer, data, labels, precision)
    network.eval()
    return partial(_forward, network, data, precision)


def _forward(network: nn.Module, data: Tensor, precision: str) -> None:
    with torch.inference_mode(), autocast(precision, data.device):
        network(data)


def _train(network: nn.Module, optimizer: torch.optim.Optimizer, data: Tensor, labels: Tensor, precision: str) -> None:
    optimizer.zero_grad(set_to_none=True)
    with autocast(precision, data.device):
        loss = nn.functional.cross_entropy(network(data).float(), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _timed(step: Callable[[], None], device: torch.device) -> float:
    if device.type != "cuda":
        start = time.process_time()
        step()
        return time.process_time() - start
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    step()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _flops(step: Callable[[], None]) -> int:
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def matrix_product_rate(device: torch.device, precision: str) -> float:
    """FLOP a second of the best of several large matrix products."""
    a = torch.full((_PEAK_SIZE, _PEAK_SIZE), 0.5, device=device)

    def product() -> None:
        with torch.inference_mode(), autocast(precision, device):
            torch.mm(a, a)

    return 2 * _PEAK_SIZE**3 / min(_timed(product, device) for _ in range(8))


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
