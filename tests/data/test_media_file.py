"""What is not a video, is not a file, or would make FFmpeg open something else: refused, with a status to count by."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cfvideo.core.errors import DecodeError
from cfvideo.core.media_file import MediaError, content_of
from cfvideo.data.decode import read_frames
from tests.synthetic import RECIPES, write_audio_only, write_kind

Video = Callable[[str], Path]


def refusal(path: Path, max_pixels: int = 1 << 24) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        read_frames(path, choose=lambda num_frames: [0], max_pixels=max_pixels, row=3, name="the/name.mp4")
    assert str(caught.value).startswith("row 3: the/name.mp4: ")
    return caught.value


@pytest.mark.parametrize(("content", "cause"), [
    (b"", "the file is empty"), (b"\0" * 5000, "Invalid data"), (b"this is a text, not a video\n" * 99, "Invalid data"),
    (bytes(range(256)) * 40, "Invalid data"), (b"RIFF", ""), (b"\x1a\x45\xdf\xa3", ""), (b"\0\0\0\x18ftypisom", "")])
def test_what_is_no_video(tmp_path: Path, content: bytes, cause: str) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    error = refusal(tmp_path / "x.mp4")
    assert error.status == "undecodable"
    assert cause in error.cause


def test_what_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.mp4").status == "missing"
    assert refusal(tmp_path / ("n" * 300)).status == "missing"
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "no.mp4")
    assert refusal(tmp_path / "dangling.mp4").status == "missing"


def test_sound_alone(tmp_path: Path) -> None:
    assert refusal(write_audio_only(tmp_path / "x.mp4")).status == "no_video"


@pytest.mark.timeout(20)
def test_pipes_folders_and_devices_are_refused_unopened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")  # opening it would wait for a writer
    for path in (tmp_path / "fifo.mp4", tmp_path, Path("/dev/zero"), Path("/dev/null")):
        error = refusal(path)
        assert error.status == "refused"
        assert "not a regular file" in error.cause


@pytest.mark.parametrize("kind", ["gop12", "vp9", "avi_mjpeg", "ts", "flv"])
def test_pictures_that_are_too_large(video: Video, kind: str) -> None:
    assert read_frames(video(kind), choose=lambda n: [0], max_pixels=64 * 48).shape == (1, 48, 64, 3)
    error = refusal(video(kind), max_pixels=64 * 48 - 1)
    assert error.status == ("undecodable" if kind in ("vp9", "avi_mjpeg") else "refused")
    assert "DATA.MAX_FRAME_PIXELS" in error.cause


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{canary}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{canary}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>{canary}</BaseURL>'
            "</Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")
@pytest.mark.parametrize("playlist", PLAYLISTS)
def test_playlists_named_as_videos_open_nothing(video: Video, tmp_path: Path, playlist: str) -> None:
    canary = tmp_path / "canary.ts"
    shutil.copy(video("ts"), canary)
    (tmp_path / "x.mp4").write_text(PLAYLISTS[playlist].format(canary=canary))
    opened = Watch(canary)
    assert refusal(tmp_path / "x.mp4").status == "undecodable"
    assert not opened()
    read_frames(canary, choose=lambda n: [0])
    assert opened(), "the watch sees what it should"


class Watch:
    """Whether a file was opened since the last look, by inotify."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._queue = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self._queue, os.fsencode(path), 0x20) >= 0  # IN_OPEN

    def __call__(self) -> bool:
        try:
            return bool(os.read(self._queue, 4096))
        except BlockingIOError:
            return False


def test_names_are_names_not_protocols(video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ts = video("ts")
    for name in (f"concat:{ts}|{ts}", f"subfile,,start,0,end,0,,:{ts}", f"file:{ts}"):
        assert refusal(Path(name)).status == "missing"


@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", "ü ú.mp4".encode(), b"new\nline.mp4", b"-dash.mp4", b"%20$(x)'.mp4",
                                  b"http:x.mp4", b"n" * 251 + b".mp4"])
def test_any_file_name_is_read(video: Video, tmp_path: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    shutil.copy(video("frames_8"), path)
    assert len(read_frames(path, choose=range)) == 8


def test_the_extension_does_not_matter(video: Video, tmp_path: Path) -> None:
    for kind in ("gop12", "vp9", "avi_mpeg4", "ts"):
        shutil.copy(video(kind), tmp_path / "x.jpg")
        assert len(read_frames(tmp_path / "x.jpg", choose=range)) == RECIPES[kind].num_frames


def test_sound_beside_the_picture_does_not_matter(tmp_path: Path) -> None:
    path = write_kind(tmp_path, "sound")
    assert len(read_frames(path, choose=range)) == 48


def test_a_file_read_whole_is_a_bad_file_where_it_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert content_of(path) == b"abc"
    for other, status in ((tmp_path / "gone", "missing"), (tmp_path, "refused")):
        with pytest.raises(MediaError, match=status):
            content_of(other)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(MediaError, match="undecodable: the file cannot be read: .*Too many open files"):
            content_of(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
