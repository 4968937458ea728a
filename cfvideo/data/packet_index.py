"""What a scan found out about a video, kept in a file of its own, so that the next visit need not scan.

One small file per video, below one folder. It is used only while the video's size and time of change are those of the
scan, and only if its own checksum holds; otherwise it is as if it were not there. Reading with it and without it gives
the same bytes: it only says where packets lie. Layout: magic, blake2b of the rest, length of the header, header
(JSON), then the columns.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"cfpk0003"
_DIGEST_BYTES = 16
_COLUMNS = (("times", "<i8"), ("offsets", "<i8"), ("sizes", "<i4"), ("keys", "<i4"))


@dataclass(frozen=True, eq=False)
class PacketColumns:
    """Where the packets of a video lie, in decoding order; P packets, of which K are key frames.

    extradata: what the decoder is told first. width, height: as stored, pixels. times: int64 [P], time stamps in units
    of the time base. offsets: int64 [P], sizes: int32 [P], bytes in the file. keys: int32 [K], positions of key frames.
    """

    extradata: bytes
    width: int
    height: int
    times: NDArray[np.int64]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int32]
    keys: NDArray[np.int32]

    @property
    def num_pixels(self) -> int:
        return self.width * self.height


@dataclass(frozen=True)
class Fingerprint:
    """What tells one state of a file from another."""

    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Fingerprint:
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class PacketIndex:
    """What is kept of one video. codec, container: FFmpeg's names.

    num_frames: how many the file truly has. columns: None where packets cannot be read without the container.
    """

    fingerprint: Fingerprint
    codec: str
    container: str
    num_frames: int
    columns: PacketColumns | None


def file_of(folder: Path, path: Path) -> Path:
    """The file that belongs to a video, by the video's absolute path; 256 folders keep each of them small."""
    name = hashlib.sha256(os.fsencode(os.path.abspath(path))).hexdigest()
    return folder / name[:2] / f"{name[2:34]}.packets"


def load(folder: Path, path: Path, fingerprint: Fingerprint) -> PacketIndex | None:
    """What is kept of a video; None where that is nothing, of another state of the file, or damaged."""
    try:
        index = decoded(file_of(folder, path).read_bytes())
    except (OSError, ValueError):
        return None
    return index if index.fingerprint == fingerprint else None


def save(folder: Path, path: Path, index: PacketIndex) -> None:
    """Keep an index. Where the folder cannot be written nothing is kept, which costs time and nothing else."""
    target = file_of(folder, path)
    temporary = target.with_name(f".{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(encoded(index))
        temporary.replace(target)  # several threads may write the same content
    except OSError:
        with suppress(OSError):
            temporary.unlink()


def encoded(index: PacketIndex) -> bytes:
    """The bytes of an index."""
    columns = index.columns
    header: dict[str, Any] = {**asdict(index.fingerprint), "codec": index.codec, "container": index.container,
                              "num_frames": index.num_frames, "columns": None}
    body = b""
    if columns is not None:
        header["columns"] = {"extradata": columns.extradata.hex(), "width": columns.width, "height": columns.height,
                             "num_packets": len(columns.times), "num_keys": len(columns.keys)}
        body = b"".join(getattr(columns, name).astype(kind).tobytes() for name, kind in _COLUMNS)
    text = json.dumps(header, sort_keys=True).encode("ascii")
    content = struct.pack("<I", len(text)) + text + body
    return _MAGIC + _digest(content) + content


def decoded(data: bytes) -> PacketIndex:
    """The index of some bytes. Raises ValueError where they are not what `encoded` made."""
    start = len(_MAGIC) + _DIGEST_BYTES
    content = data[start:]
    if data[:len(_MAGIC)] != _MAGIC or _digest(content) != data[len(_MAGIC):start]:
        raise ValueError("not a packet index, or damaged")
    length = struct.unpack_from("<I", content)[0]
    header = json.loads(content[4:4 + length])
    columns = header["columns"] and _columns(header["columns"], content[4 + length:])
    return PacketIndex(Fingerprint(header["size_bytes"], header["mtime_ns"]), header["codec"], header["container"],
                       header["num_frames"], columns)


def _columns(header: dict[str, Any], body: bytes) -> PacketColumns:
    arrays, position = {}, 0
    for name, kind in _COLUMNS:
        count = header["num_keys" if name == "keys" else "num_packets"]
        arrays[name] = np.frombuffer(body, kind, count, position)
        position += arrays[name].nbytes
    return PacketColumns(bytes.fromhex(header["extradata"]), header["width"], header["height"], **arrays)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
