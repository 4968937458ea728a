"""WebDataset's shards: rows that are read in place, and shards that are refused."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cfvideo.core.errors import DataError, DecodeError
from cfvideo.core.formats.tar_members import TarReader, open_shard
from cfvideo.core.index import Index
from cfvideo.core.media import MediaPart
from cfvideo.data.decode import read_frames
from cfvideo.data.formats import read_index
from tests.format_files import named_labels_of, names_of
from tests.synthetic import RECIPES, numbers_of

Video = Callable[[str], Path]
Members = list[tuple[str, bytes]]
SAMPLE: Members = [("a.mp4", b"video"), ("a.cls", b"1")]


def entry(name: str, size: int = 0, **changes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in changes.items():
        setattr(info, key, value)
    return info


def write_shard(path: Path, members: Members, *more: tarfile.TarInfo, format: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=format) as tar:
        for name, content in members:
            tar.addfile(entry(name, len(content)), io.BytesIO(content))
        for info in more:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    return path


def read(path: Path) -> Index:
    return read_index(format="tar", path=path)


def test_samples_of_several_shards(tmp_path: Path) -> None:
    write_shard(tmp_path / "shard-000000.tar", [
        ("000.mp4", b"video 0"), ("000.json", b'{"label": "surf", "url": "http://x"}'), ("000.txt", b"a caption"),
        ("001.WEBM", b"video 1"), ("001.json", b'{"tags": ["b", "a", "b"]}'), ("dir/001.mkv", b""),
        ("dir/001.txt", b"z\n")])
    write_shard(tmp_path / "shard-000001.tar", [("000.avi", b"x"), (".hidden", b""), ("__meta__", b"")])
    (tmp_path / "readme.txt").write_text("x")
    index = read(tmp_path)
    assert names_of(index) == ["shard-000000.tar/000.mp4", "shard-000000.tar/001.WEBM", "shard-000000.tar/dir/001.mkv",
                               "shard-000001.tar/000.avi"]
    assert named_labels_of(index) == [["surf"], ["a", "b"], ["z"], []]
    assert index.sizes_bytes.tolist() == [7, 7, 0, 1]
    media = index.media_of(1)
    assert isinstance(media, MediaPart)
    assert media.path.read_bytes()[media.offset:][:media.length] == b"video 1"
    assert names_of(read(tmp_path / "shard-{000000..000001}.tar")) == names_of(index)
    assert read(tmp_path / "shard-{000000..000001}.tar").content_hash == index.content_hash
    with pytest.raises(DataError, match=r"1 of 3 shards are missing, the first is .*shard-000002\.tar"):
        read(tmp_path / "shard-{000000..000002}.tar")


def test_class_numbers_and_their_names(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "s.tar", [*SAMPLE, ("b.mp4", b""), ("b.cls", b"0\n"), ("b.json", b"{}")])
    index = read(shard)
    assert (index.label_names, named_labels_of(index)) == (("0", "1"), [["1"], ["0"]])
    (tmp_path / "labels.txt").write_text("walk\nrun\n")
    assert named_labels_of(read(shard)) == [["run"], ["walk"]]
    test = read_index(format="tar", path=shard, label_names=("x", "y", "z"))
    assert named_labels_of(test) == [["y"], ["x"]]
    with pytest.raises(DataError, match=r"s\.tar: member 'a\.cls': label '1' is not a whole number in \[0, 1\)"):
        read_index(format="tar", path=shard, label_names=("x",))


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_offsets_are_those_of_tarfile(tmp_path: Path, format: int) -> None:
    long = "d" * 90 + "/" + "e" * 90 if format == tarfile.USTAR_FORMAT else "d" * 300
    names = ["a.mp4", "b/c.mp4", f"{long}.mp4"] + ([] if format == tarfile.USTAR_FORMAT else ["ü\udcff.mp4"])
    shard = write_shard(tmp_path / "s.tar", [(name, bytes([i]) * 700 * i) for i, name in enumerate(names)],
                        entry("folder", type=tarfile.DIRTYPE), format=format)
    with tarfile.open(shard) as tar:
        expected = [(os.fsencode(info.name), info.offset_data, info.size) for info in tar if info.isfile()]
    with open_shard(shard) as file:
        found = [(member.name, member.offset, member.size) for member in TarReader(shard, file).members()]
    assert found == expected
    assert len(found) == len(names)


def test_frames_of_a_member_are_those_of_its_file(tmp_path: Path, video: Video) -> None:
    kinds = ("gop12", "vp9", "avi_mpeg4", "mkv", "ts", "fragmented")
    write_shard(tmp_path / "s.tar", [(f"{kind}.{RECIPES[kind].extension}", video(kind).read_bytes()) for kind in kinds])
    index = read(tmp_path)
    for row, kind in enumerate(kinds):
        frames = read_frames(index.media_of(row), choose=lambda n: [0, n // 2, n - 1])
        assert numbers_of(frames) == [0, 24, 47], kind
        assert frames.tobytes() == read_frames(video(kind), choose=lambda n: [0, n // 2, n - 1]).tobytes()


def test_a_shard_that_shrank_after_indexing(tmp_path: Path, video: Video) -> None:
    shard = write_shard(tmp_path / "s.tar", [("a.mp4", video("gop12").read_bytes()), ("b.mp4", b"no video at all")])
    index = read(shard)
    with pytest.raises(DecodeError) as error:
        read_frames(index.media_of(1), choose=lambda n: [0], row=1, name=index.name_of(1))
    assert str(error.value).startswith("row 1: s.tar/b.mp4: undecodable")
    os.truncate(shard, 2000)
    with pytest.raises(DecodeError, match="cut short, or is another file than at indexing"):
        read_frames(index.media_of(0), choose=lambda n: [0])


class Canary:
    """Unpickling it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_nothing_is_unpickled_or_extracted(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    data = pickle.dumps(Canary(canary))
    (tmp_path / "in").mkdir()
    pickles = [(f"a.{extension}", data) for extension in ("pyd", "pkl", "pickle", "pth")]
    write_shard(tmp_path / "in" / "s.tar", [*SAMPLE, *pickles])
    before = sorted(tmp_path.rglob("*"))
    assert names_of(read(tmp_path / "in")) == ["s.tar/a.mp4"]
    assert sorted(tmp_path.rglob("*")) == before
    pickle.loads(data)  # noqa: S301 (the canary sings when it is let out)
    assert canary.exists()


@pytest.mark.parametrize(("members", "message"), [
    ([("a.mp4", b""), ("a.mp4", b"")], r"'a\.mp4' is there twice"),
    ([*SAMPLE, ("b.mp4", b""), ("a.json", b"{}")], r"'a\.json' comes back to the key 'a'"),
    ([("a.b.mp4", b""), ("a.c.mp4", b"")], r"'a\.c\.mp4' and 'a\.b\.mp4' are both videos of the key 'a'"),
    ([("a.mp4", b""), ("a.webm", b"")], "are both videos of the key 'a'"),
    ([("a.cls", b"1")], r"'a\.cls' belongs to the sample 'a', which holds no video"),
    ([("/a.mp4", b"")], r"'/a\.mp4' is absolute"), ([("../a.mp4", b"")], "leaves the root"),
    ([("x/../../a.mp4", b"")], "leaves the root"),
    ([("a.mp4", b""), ("a.cls", b"-1")], r"'a\.cls' holds '-1'"), ([("a.mp4", b""), ("a.cls", b"")], "holds ''"),
    ([("a.mp4", b""), ("a.json", b"{")], r"'a\.json' cannot be read"),
    ([("a.mp4", b""), ("a.json", b'{"label": -1}')], "whole number"),
    ([("a.mp4", b""), ("a.json", b'{"tags": [1.5]}')], "neither name nor number"),
    ([("a.mp4", b""), ("a.json", b"[" * 100_000)], "cannot be read"),
    ([("a.mp4", b""), ("a.txt", b"\xff")], r"'a\.txt' cannot be read"),
    ([("a.mp4", b""), ("a.txt", bytes(1 << 21))], "at most"),
    ([*SAMPLE, ("b.mp4", b""), ("b.txt", b"name")], "some labels are numbers and some are names"),
])
def test_samples_that_are_refused(tmp_path: Path, members: Members, message: str) -> None:
    shard = write_shard(tmp_path / "s.tar", members)
    with pytest.raises(DataError, match=message) as error:
        read(shard)
    assert str(error.value).startswith(f"{shard}: member '")


@pytest.mark.parametrize(("info", "message"), [
    (entry("b.mp4", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "is a symbolic link"),
    (entry("b.mp4", type=tarfile.LNKTYPE, linkname="a.mp4"), "is a hard link"),
    (entry("b.mp4", type=tarfile.CHRTYPE), "is a device"), (entry("b.mp4", type=tarfile.BLKTYPE), "is a device"),
    (entry("b.mp4", type=tarfile.FIFOTYPE), "is a pipe"), (entry("b.mp4", type=tarfile.GNUTYPE_SPARSE), "sparse"),
    (entry("b.mp4", type=b"Q"), "unknown kind"),
])
def test_members_that_are_no_files(tmp_path: Path, info: tarfile.TarInfo, message: str) -> None:
    with pytest.raises(DataError, match=rf"s\.tar: member 'b\.mp4' {message}|{message}"):
        read(write_shard(tmp_path / "s.tar", SAMPLE, info))


def test_sparse_files_of_pax(tmp_path: Path) -> None:
    info = entry("b.mp4", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
    with pytest.raises(DataError, match="sparse"):
        read(write_shard(tmp_path / "s.tar", SAMPLE, info, format=tarfile.PAX_FORMAT))


def patched(data: bytes, position: int, field: bytes) -> bytes:
    """A header with some bytes replaced and its checksum made right again; the header begins at 0."""
    header = bytearray(data[:512])
    header[position:position + len(field)] = field
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("size", [b"\xff" * 11 + b"\0", b"77777777777\0", b"\x80" + b"\0" * 3 + b"\x7f" * 8, b"1x2\0"])
def test_sizes_that_cannot_be(tmp_path: Path, size: bytes) -> None:
    data = write_shard(tmp_path / "s.tar", SAMPLE).read_bytes()
    (tmp_path / "s.tar").write_bytes(patched(data, 124, size))
    with pytest.raises(DataError, match="cut short|no valid size"):
        read(tmp_path / "s.tar")
    (tmp_path / "s.tar").write_bytes(patched(patched(data, 124, size), 156, b"x"))
    with pytest.raises(DataError, match="cut short|no valid size|extended header"):
        read(tmp_path / "s.tar")


def pax(*records: bytes) -> bytes:
    """An archive of one extended header of these records and one sample."""
    content, name = b"".join(records), entry("x")
    name.type, name.size = b"x", len(content)
    tail = [entry("a.mp4", 5), entry("a.cls", 1)]
    blocks = [name.tobuf(tarfile.USTAR_FORMAT), content + bytes(-len(content) % 512)]
    for info, data in zip(tail, (b"video", b"1"), strict=True):
        blocks += [info.tobuf(tarfile.USTAR_FORMAT), data + bytes(-len(data) % 512)]
    return b"".join(blocks) + bytes(1024)


def record(key: bytes, value: bytes) -> bytes:
    size = len(key) + len(value) + 3
    size += len(str(size + len(str(size))))
    return b"%d %s=%s\n" % (size, key, value)


@pytest.mark.parametrize("records", [[record(b"size", b"9" * 5_000)], [record(b"size", b"-1")], [b"9" * 30 + b" a=b\n"],
                                     [b"99 a=b\n"], [b"-9 a=b\n"], [b"3 a=b\n"], [b"x a=b\n"], [b"6 a=b"]])
def test_extended_headers_that_cannot_be(tmp_path: Path, records: list[bytes]) -> None:
    shard = tmp_path / "s.tar"
    shard.write_bytes(pax(record(b"comment", b"whatever"), record(b"size", b"5")))
    assert read(shard).num_rows == 1
    shard.write_bytes(pax(*records))
    with pytest.raises(DataError, match="no valid size|is damaged"):
        read(shard)


@pytest.mark.timeout(20)
def test_a_large_extended_header_is_walked_through_once(tmp_path: Path) -> None:
    """Two copies of the rest at each of 200,000 records were 200 GB."""
    (tmp_path / "s.tar").write_bytes(pax(b"5 a=\n" * 200_000))
    assert read(tmp_path / "s.tar").num_rows == 1


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    data = write_shard(tmp_path / "whole.tar", [("a.mp4", b"v" * 600), ("a.cls", b"1"), ("b.mp4", b"w")]).read_bytes()
    last = 512 + 1024 + 512 + 512 + 512 + 512
    for length in (0, 1, 100, 511, 512, 513, 1000, 1536, 2048, 2560, last - 512, last):
        (tmp_path / "s.tar").write_bytes(data[:length])
        with pytest.raises(DataError, match=r"s\.tar.*cut short"):
            read(tmp_path / "s.tar")
    (tmp_path / "s.tar").write_bytes(data[:last + 512])
    assert read(tmp_path / "s.tar").num_rows == 2


def test_a_damaged_or_zeroed_header_does_not_end_a_shard_quietly(tmp_path: Path) -> None:
    data = bytearray(write_shard(tmp_path / "s.tar", [*SAMPLE, ("b.mp4", b"w")]).read_bytes())
    data[2048 + 5] ^= 1
    (tmp_path / "s.tar").write_bytes(data)
    with pytest.raises(DataError, match="the header at byte 2,048 is damaged"):
        read(tmp_path / "s.tar")
    data[2048:2560] = bytes(512)
    (tmp_path / "s.tar").write_bytes(data)
    with pytest.raises(DataError, match="more data follows the end mark"):
        read(tmp_path / "s.tar")


def test_shards_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.tar file"):
        read(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "no.tar")
    (tmp_path / "text.tar").write_text("not a tar file at all " * 99)
    with pytest.raises(DataError, match="no tar file"):
        read(tmp_path / "text.tar")
    with tarfile.open(tmp_path / "s.tar.gz", "w:gz") as tar:
        tar.addfile(entry("a.mp4"))
    (tmp_path / "s.tar.gz").write_bytes((tmp_path / "s.tar.gz").read_bytes() + bytes(600))
    with pytest.raises(DataError, match=r"compressed \(gzip\)"):
        read(tmp_path / "s.tar.gz")


@pytest.mark.timeout(20)
def test_pipes_and_links_out_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "fifo.tar")
    with pytest.raises(DataError, match="not a regular file"):
        read(tmp_path / "in")
    (tmp_path / "in" / "fifo.tar").unlink()
    write_shard(tmp_path / "out.tar", SAMPLE)
    (tmp_path / "in" / "s.tar").symlink_to(tmp_path / "out.tar")
    with pytest.raises(DataError, match="symbolic link out of"):
        read(tmp_path / "in")
    assert names_of(read_index(format="tar", path=tmp_path / "in", root=tmp_path)) == ["in/s.tar/a.mp4"]
    with pytest.raises(DataError, match="outside the root"):
        read_index(format="tar", path=tmp_path / "out.tar", root=tmp_path / "in")
