"""The formats of images, a name and a reader each."""

from __future__ import annotations

from functools import partial

from cfimage.formats.inaturalist import read_inaturalist
from cfimage.formats.lists import read_path_labels, read_path_name_or_solution, read_places365
from cfimage.formats.voc import read_voc
from cfvideo.core.formats.folders import read_class_folders
from cfvideo.core.formats.media_kind import MediaKind
from cfvideo.core.formats.read import ANY_KIND, Formats
from cfvideo.core.formats.read import read_index as read_index_of

IMAGES = MediaKind("image", (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".webp"))
FORMATS: Formats = {
    "imagenet": read_class_folders,
    "path_labels": read_path_labels,
    "places365": read_places365,
    "inaturalist": read_inaturalist,
    "voc": read_voc,
    **ANY_KIND,
    "path_name": read_path_name_or_solution,
}
# See cfvideo.core.formats.read.
read_index = partial(read_index_of, FORMATS, IMAGES)
