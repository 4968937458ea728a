"""Opening video files that strangers made: known containers only, nothing else opened on the way.

The file is handed to FFmpeg as a file object, so neither its name (`concat:a|b`, `http://...`) nor its content (an HLS
playlist called .mp4) can make FFmpeg open anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from cfvideo.core.media import Media
from cfvideo.core.media_file import MediaError, open_media
from cfvideo.data.file_end import is_cut_short

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Demuxers that read one file and nothing else. Playlists (hls, concat, dash) are left out on purpose.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf"


class OpenVideo(NamedTuple):
    """An open file: its container, its first video stream (cover pictures left aside), and what the file itself says.

    is_cut: the container states a length that the file does not reach.
    """

    container: InputContainer
    stream: VideoStream
    size_bytes: int
    is_cut: bool


@contextmanager
def open_video(path: Media, *, max_pixels: int) -> Iterator[OpenVideo]:
    """Open a video for the length of a `with` block.

    Raises MediaError for what is refused, and av.FFmpegError or OSError as FFmpeg meets them.
    """
    import av

    options = {"format_whitelist": CONTAINERS, "max_pixels": str(max_pixels)}
    file, size_bytes = open_media(path)
    with file:
        is_cut = is_cut_short(file, size_bytes)
        with av.open(file, options=options, metadata_errors="replace", buffer_size=1 << 16) as container:
            stream = _first_video_stream(container)
            if stream is None:
                raise MediaError("undecodable", "the file ends early, before its video") if is_cut else MediaError(
                    "no_video", "the file holds no video stream")
            _configure(stream, max_pixels)
            yield OpenVideo(container, stream, size_bytes, is_cut)


def _configure(stream: VideoStream, max_pixels: int) -> None:
    codec = stream.codec_context
    if codec is None:
        raise MediaError("undecodable", "no decoder for this codec")
    if codec.width * codec.height > max_pixels:
        raise MediaError("refused", f"pictures of {codec.width} x {codec.height} are larger than the {max_pixels} "
                                    "pixels that DATA.MAX_FRAME_PIXELS allows")
    if codec.width * codec.height == 0:
        # FFmpeg forgets the size of VP9 and MJPEG pictures when it finds them too large.
        raise MediaError("undecodable", "the pictures have no size, or one larger than the "
                                        f"{max_pixels} pixels that DATA.MAX_FRAME_PIXELS allows")
    codec.options = {"max_pixels": str(max_pixels)}
    # One thread per decoder: the work is spread over videos, and frame threads would delay every first frame.
    codec.thread_count, codec.thread_type = 1, "NONE"


def _first_video_stream(container: InputContainer) -> VideoStream | None:
    from av.stream import Discard, Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            for other in container.streams:
                if other is not stream:
                    other.discard = Discard.all  # sound need not be read
            return stream
    return None
