"""N_pre as the teacher of distillation: it sees its student's samples, normalised as its own were.

B samples, C channels, K classes. The means and deviations are of levels in [0, 1] (`picture_views.Statistics`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor, nn

from cfvideo.core.picture_views import Statistics


class Teacher:
    """A finished network that is asked and never changed: in evaluation mode, without gradients.

    Args:
        network: on the device of the samples. own: what it was trained with. given: what the samples were normalised
            with, for the student; where both are equal the samples pass untouched, to the last bit.
    """

    def __init__(self, network: nn.Module, *, own: Statistics, given: Statistics) -> None:
        self._network = network.eval()
        own_mean, own_std, mean, std = (np.array(values) for values in (*own, *given))
        self._affine = None if own == given else (std / own_std, (mean - own_mean) / own_std)

    def __call__(self, data: Tensor) -> Tensor:
        """data [B, C, ...] as the student is fed -> logits [B, K]."""
        with torch.no_grad():
            logits: Tensor = self._network(self._renormalised(data))
        return logits

    def _renormalised(self, data: Tensor) -> Tensor:
        if self._affine is None:
            return data
        scale, shift = (torch.from_numpy(values).to(data).reshape(1, -1, *[1] * (data.ndim - 2))
                        for values in self._affine)
        return data * scale + shift


def first_difference(names: Sequence[str], others: Sequence[str]) -> int | None:
    """The first place where two lists of classes differ, the end of the shorter one at the latest; None: nowhere."""
    return next((place for place, (name, other) in enumerate(zip_longest(names, others)) if name != other), None)
