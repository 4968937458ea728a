"""What a file is, from a scan of its packets with PyAV: the judge of whether another decoder may be trusted with it.

Decoders that find frames by key frames and time stamps are exact only on some containers and codecs, and say nothing
where they are wrong. So the packets are scanned first, frames are numbered by that scan, and each decoder's module
states what it is exact on (`unfit`). Everything else is decoded by PyAV.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cfvideo.core.media_file import MediaError
from cfvideo.data.media_file import OpenVideo, open_video
from cfvideo.data.packet_plan import Stamp, tabulate
from cfvideo.data.parameter_sets import ParameterSets
from cfvideo.data.pixels import display_orientation

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MP4, MATROSKA = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
# Larger files are not held in memory: PyAV reads them from disk.
MAX_BYTES = 256 << 20
_IDR = 5  # nal_unit_type of a picture that nothing before it is needed for; ISO/IEC 14496-10, table 7-1
_PROGRESSIVE = 1


@dataclass(frozen=True)
class Survey:
    """What the packets of a file tell.

    num_frames: frames by the packets' time stamps; None where packets do not tell frames apart.
    width, height: of the stored pictures, pixels. orientation: see `display_orientation`.
    stream: position of the video stream among all streams.
    clean_entries: every key frame can be entered by without its past (H.264: all of them are IDR pictures).
    hidden_frames: an edit list hides frames. fragmented: an mp4 in fragments. matrix: between YUV and RGB, as FFmpeg
    numbers them (AVCOL_SPC).
    """

    num_frames: int | None
    codec: str
    container: str
    pixel_format: str
    width: int
    height: int
    orientation: tuple[bool, bool, bool]
    stream: int
    size_bytes: int
    clean_entries: bool
    hidden_frames: bool
    fragmented: bool
    matrix: int

    @property
    def doubt(self) -> str:
        """Why no other decoder should be asked at all; empty where one may."""
        if self.num_frames is None:
            return f"the packets of this {self.codec} in {self.container} do not tell its frames apart"
        if self.size_bytes > MAX_BYTES:
            return f"the file is larger than {MAX_BYTES >> 20} MiB"
        return "an edit list hides frames" if self.hidden_frames else ""


def survey(path: Path, *, max_pixels: int) -> Survey:
    """Scan a file and decode its first frame. Raises MediaError as `cfvideo.data.video_reader.reading` does."""
    import av

    try:
        with open_video(path, max_pixels=max_pixels) as video:
            return _surveyed(path, video)
    except (av.FFmpegError, OSError) as error:
        raise MediaError("undecodable", str(error)) from error


def _surveyed(path: Path, video: OpenVideo) -> Survey:
    decoder, container = video.stream.codec_context, video.container.format.name
    packets = [packet for packet in video.container.demux(video.stream) if packet.size]
    cut = any(packet.is_corrupt for packet in packets)
    field_order = getattr(decoder, "field_order", _PROGRESSIVE + 1)
    sets = ParameterSets(decoder.name, decoder.extradata)
    for packet in packets:
        sets.note(packet)
    table = tabulate([Stamp.of(packet, decoder.name) for packet in packets], container=container, codec=decoder.name,
                     truncated=cut or video.is_cut, interlaced=field_order > _PROGRESSIVE,
                     changing=sets.changed)
    first = _first_frame(video, packets)
    return Survey(
        num_frames=None if table.frames is None else len(table.frames), codec=decoder.name, container=container,
        pixel_format=first.format.name, width=first.width, height=first.height,
        orientation=display_orientation(first), stream=video.stream.index, size_bytes=video.size_bytes,
        clean_entries=decoder.name != "h264" or _all_idr(packets, decoder.extradata or b""),
        hidden_frames=any(packet.is_discard for packet in packets),
        fragmented=container == MP4 and is_fragmented(path), matrix=int(first.colorspace))


def _first_frame(video: OpenVideo, packets: list[Packet[VideoStream]]) -> VideoFrame:
    for packet in packets:
        for frame in video.stream.codec_context.decode(packet):
            return frame
    for frame in video.stream.codec_context.decode(None):
        return frame
    raise MediaError("undecodable", "the file holds no complete frame")


def _all_idr(packets: list[Packet[VideoStream]], extradata: bytes) -> bool:
    if extradata[:1] != b"\x01":  # not length-prefixed, as mp4 and Matroska have it
        return False
    length_bytes = (extradata[4] & 3) + 1
    return all(_IDR in nal_types(memoryview(packet), length_bytes) for packet in packets if packet.is_keyframe)


def nal_types(packet: memoryview, length_bytes: int) -> Iterator[int]:
    """nal_unit_type of every unit of an H.264 packet whose units follow their length (ISO/IEC 14496-15, 5.3)."""
    position = 0
    while position + length_bytes < len(packet):
        length = int.from_bytes(packet[position:position + length_bytes], "big")
        yield packet[position + length_bytes] & 31
        position += length_bytes + length


def is_fragmented(path: Path) -> bool:
    """Whether an mp4 file has movie fragments at its top level."""
    with open(path, "rb") as file:
        position, head = 0, file.read(16)
        while len(head) >= 8:
            size = int.from_bytes(head[:4], "big")
            if size == 1:
                size = int.from_bytes(head[8:16], "big")
            if head[4:8] == b"moof" or size < 8:
                return head[4:8] == b"moof"
            position += size
            file.seek(position)
            head = file.read(16)
    return False
