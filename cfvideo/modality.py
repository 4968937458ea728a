"""VIDEO: what the core's stages need to know of videos, in one record."""

from __future__ import annotations

from cfvideo.core.records import Modality
from cfvideo.data.batches import eval_batches, previews, sample_shape, thumbnails, train_batches
from cfvideo.data.decoders.choice import resolved_decoder
from cfvideo.data.formats import read_index
from cfvideo.data.transforms import statistics_of
from cfvideo.models.zoo import build_network

VIDEO = Modality(name="video", read_index=read_index, train_batches=train_batches, eval_batches=eval_batches,
                 build_network=build_network, sample_shape=sample_shape, thumbnails=thumbnails,
                 previews=previews, resolved_decoder=resolved_decoder, statistics=statistics_of)
