"""Videos whose parameter sets change on the way, as joining without encoding makes them: the truth are the parts."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from cfvideo.data.decode import probe, read_frames
from cfvideo.data.decoders.survey import survey
from cfvideo.data.painter import Painter
from cfvideo.data.parameter_sets import ParameterSets
from cfvideo.data.pixels import same_size
from tests.synthetic import write_frames

GOP, NUM_FRAMES = "keyint=12:min-keyint=12:scenecut=0:bframes=3", 30


def part(path: Path, params: str, codec: str = "libx264") -> Path:
    noise = np.kron(np.random.default_rng(0).integers(0, 255, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    pictures = [np.roll(noise, (3 * i, 5 * i), (0, 1)) for i in range(NUM_FRAMES)]
    key = "x264-params" if codec == "libx264" else "x265-params"
    return write_frames(path, pictures, codec=codec, pixel_format="yuv420p", options={key: params})


def units(extradata: bytes, codec: str) -> bytes:
    """The parameter sets of mp4's extradata as they stand before a picture, each behind its length in four bytes."""
    position, made, counts = (5, b"", (31, 255)) if codec == "h264" else (22, b"", [255])
    arrays = len(counts) if codec == "h264" else extradata[position]
    position += codec != "h264"
    for array in range(arrays):
        count = extradata[position] & counts[array] if codec == "h264" else extradata[position + 2]
        position += 1 if codec == "h264" else 3
        for _ in range(count):
            length = int.from_bytes(extradata[position:position + 2], "big")
            made += length.to_bytes(4, "big") + extradata[position + 2:position + 2 + length]
            position += 2 + length
    return made


def joined(path: Path, parts: list[Path]) -> Path:
    """The parts one after another; the first one's parameter sets in the header, the others' before their pictures."""
    with av.open(str(path), "w") as new:
        copy = None
        for number, part_path in enumerate(parts):
            with av.open(str(part_path)) as old:
                stream = old.streams.video[0]
                copy = copy or new.add_stream_from_template(stream)
                sets = units(bytes(stream.codec_context.extradata or b""), stream.codec_context.name)
                shift = round(number * NUM_FRAMES / (25 * stream.time_base))
                for i, packet in enumerate(packet for packet in old.demux(stream) if packet.size):
                    made = av.Packet((sets if number and i == 0 else b"") + bytes(packet))
                    made.pts, made.dts = (packet.pts or 0) + shift, (packet.dts or 0) + shift
                    made.time_base, made.is_keyframe, made.stream = stream.time_base, packet.is_keyframe, copy
                    new.mux(made)
    return path


def decoded(path: Path) -> list[NDArray[np.uint8]]:
    """All frames as PyAV gives them in order."""
    pictures = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            painter = Painter([0], same_size)
            painter.paint(0, frame)
            pictures.append(painter.finished()[0])
    return pictures


def assert_gives_its_parts(path: Path, parts: list[Path], picks: list[list[int]], packets: Path) -> None:
    truth = [picture for part_path in parts for picture in decoded(part_path)]
    assert len(truth) == probe(path).num_frames == len(parts) * NUM_FRAMES
    for pick in picks:
        for store in (None, packets, packets):
            found = read_frames(path, choose=lambda _, pick=pick: pick, packets=store)
            assert [i for i, frame in zip(pick, found, strict=True) if not np.array_equal(frame, truth[i])] == []


@pytest.mark.parametrize("params", [(":tff=1", ":tff=1:chroma-qp-offset=8"),
                                    ("", ":chroma-qp-offset=8:intra-refresh=1:bframes=0")])
def test_every_pass_begins_with_the_parameter_sets_of_the_beginning(tmp_path: Path, params: tuple[str, str]) -> None:
    """Interlaced: all is decoded to count, then again. Gradual refresh: decoding starts over at a false key frame."""
    parts = [part(tmp_path / f"{i}.mp4", GOP + more) for i, more in enumerate(params)]
    path = joined(tmp_path / "joined.mp4", parts)
    assert_gives_its_parts(path, parts, [[4], [4, 33], [4, 33, 58]], tmp_path / "packets")


X265 = "log-level=none:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0:open-gop=1"


@pytest.mark.parametrize(("codec", "params"), [
    ("libx264", (GOP, f"{GOP}:open-gop=1:chroma-qp-offset=4")), ("libx264", (GOP, f"{GOP}:chroma-qp-offset=4")),
    ("libx265", (X265, f"{X265}:cbqpoffs=6:crqpoffs=6"))])
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_key_frames_whose_parameter_sets_lie_far_before_them(tmp_path: Path, codec: str, params: tuple[str, str],
                                                             extension: str) -> None:
    parts = [part(tmp_path / f"{i}.mp4", more, codec) for i, more in enumerate(params)]
    path = joined(tmp_path / f"joined.{extension}", parts)
    assert probe(path).counted
    assert_gives_its_parts(path, parts, [[4], [44], [57], [4, 57]], tmp_path / "packets")


@pytest.mark.parametrize(("codec", "params"), [("libx264", GOP), ("libx265", X265)])
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_parameter_sets_that_come_again_unchanged_are_no_change(tmp_path: Path, codec: str, params: str,
                                                                extension: str) -> None:
    """Before the second part, and with its own encoder's repetition before every key frame."""
    parts = [part(tmp_path / f"{i}.mp4", params + ":repeat-headers=1" * (codec == "libx264"), codec) for i in range(2)]
    path = joined(tmp_path / f"joined.{extension}", parts)
    assert not probe(path).counted
    assert_gives_its_parts(path, parts, [[44], [4, 57]], tmp_path / "packets")


def test_other_decoders_are_not_asked(tmp_path: Path) -> None:
    parts = [part(tmp_path / f"{i}.mp4", GOP + more) for i, more in enumerate(("", ":chroma-qp-offset=4"))]
    assert survey(joined(tmp_path / "joined.mp4", parts), max_pixels=1 << 24).doubt
    assert not survey(parts[0], max_pixels=1 << 24).doubt


A, B, PICTURE = b"\x67\x01\x02", b"\x68\x03", b"\x65\x09\x09\x67\x07"


def behind_start_codes(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


@pytest.mark.parametrize(("header", "packets", "changed"), [
    ((A, B), [(A, B, PICTURE), (PICTURE,), (B, PICTURE)], False),
    ((), [(A, B, PICTURE), (A, B, PICTURE)], False),
    ((A, B), [(PICTURE,), (A, B + b"\1", PICTURE)], True),
    ((), [(A, B, PICTURE), (A + b"\1", B, PICTURE)], True)])
def test_units_behind_start_codes(header: tuple[bytes, ...], packets: list[tuple[bytes, ...]], changed: bool) -> None:
    sets = ParameterSets("h264", behind_start_codes(*header))
    for units_of in packets:
        sets.note(av.Packet(behind_start_codes(*units_of)))  # type: ignore[arg-type]
    assert sets.changed is changed
