"""Other people's weights of networks for clips, in and out; see README.md."""

from cfvideo.models.weights.sides import VIDEO_WEIGHTS

__all__ = ["VIDEO_WEIGHTS"]
