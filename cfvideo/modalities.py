"""What MODALITY stands for: the one module that knows both sides, for the tools."""

from __future__ import annotations

from cfvideo.core.records import Modality


def modality_named(name: str) -> Modality:
    """The record of "image" or of "video"; only that side is imported."""
    if name == "image":
        from cfimage.modality import IMAGE

        return IMAGE
    from cfvideo.modality import VIDEO

    return VIDEO
