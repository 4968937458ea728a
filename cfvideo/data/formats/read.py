"""The formats of videos, a name and a reader each."""

from __future__ import annotations

from functools import partial

from cfvideo.core.formats.folders import read_class_folders
from cfvideo.core.formats.media_kind import MediaKind
from cfvideo.core.formats.read import ANY_KIND, Formats
from cfvideo.core.formats.read import read_index as read_index_of
from cfvideo.data.formats.kinetics_csv import read_kinetics_csv
from cfvideo.data.formats.mmaction2 import read_mmaction2, read_mmaction2_offset
from cfvideo.data.formats.something import read_sthsth_v1, read_sthsth_v2
from cfvideo.data.formats.sports1m import read_sports1m
from cfvideo.data.frame_files import frames_size_bytes

VIDEOS = MediaKind("video", (".3g2", ".3gp", ".asf", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
                             ".mts", ".ts", ".webm", ".wmv"), frames_size_bytes)
FORMATS: Formats = {
    "kinetics": read_class_folders,
    "kinetics_csv": read_kinetics_csv,
    "sports1m": read_sports1m,
    "sthsth_v1": read_sthsth_v1,
    "sthsth_v2": read_sthsth_v2,
    "mmaction2": read_mmaction2,
    "mmaction2_offset": read_mmaction2_offset,
    **ANY_KIND,
}
# See cfvideo.core.formats.read.
read_index = partial(read_index_of, FORMATS, VIDEOS)
