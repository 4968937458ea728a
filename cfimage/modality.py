"""IMAGE: what the core's stages need to know of images, in one record."""

from __future__ import annotations

from functools import partial
from typing import Any

from cfimage.batches import IMAGENET, eval_batches, previews, sample_shape, thumbnails, train_batches
from cfimage.decoder_choice import resolved_decoder
from cfimage.formats import read_index
from cfimage.jigsaw import PATCH_DIM, JigsawNetwork
from cfimage.resnet import ImageResNet, build_resnet
from cfimage.views import pretext_classes
from cfvideo.core.picture_views import statistics_of
from cfvideo.core.records import Modality


def build_network(*, num_classes: int, task: str = "labels", **network: Any) -> ImageResNet | JigsawNetwork:
    """A network with undrawn weights. task: jigsaw has a network of its own; network: see `build_resnet`."""
    if task == "jigsaw":
        return JigsawNetwork(build_resnet(num_classes=PATCH_DIM, **network), num_classes=num_classes)
    return build_resnet(num_classes=num_classes, **network)


IMAGE = Modality(name="image", read_index=read_index, train_batches=train_batches, eval_batches=eval_batches,
                 build_network=build_network, sample_shape=sample_shape, thumbnails=thumbnails,
                 previews=previews, resolved_decoder=resolved_decoder, pretext_classes=pretext_classes,
                 statistics=partial(statistics_of, usual=IMAGENET))
