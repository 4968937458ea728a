"""Judging one finished network on a user's own data, without the rest of a run."""

from cfvideo.core.evaluation.request import Place, Request
from cfvideo.core.evaluation.run import evaluate

__all__ = ["Place", "Request", "evaluate"]
