"""The paper's ablations: lists of variants of one config that share every stage they can."""

from cfvideo.core.ablation.catalogue import ABLATIONS
from cfvideo.core.ablation.run import Request, ablate

__all__ = ["ABLATIONS", "Request", "ablate"]
