"""From a RunSpec to its stages: the one place where config keys meet stages."""

from cfvideo.core.pipeline.wiring import STAGE_NAMES, Pipeline

__all__ = ["STAGE_NAMES", "Pipeline"]
