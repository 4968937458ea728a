"""Files as they are found, through the command that users type: what can be shown is, what cannot keeps its row."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfvideo.core.failures import read_failures
from cfvideo.core.features import FeatureStore
from tests.cfimage.pictures import encoded, smooth
from tests.cfimage.test_decode import chunk
from tests.cfimage.test_pipeline import CONFIG
from tests.source_tree import ROOT
from tests.toy_extraction import all_rows

SIZE = (48, 36)


def odd_files() -> tuple[dict[str, bytes], dict[str, str]]:
    """Files by name, and the status of those that are no pictures."""
    pixels, frames = smooth(*SIZE), [Image.fromarray(smooth(*SIZE, phase)) for phase in (0.0, 1.0, 2.0)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    deep = io.BytesIO()
    Image.fromarray(pixels[..., 0].astype(np.uint16) << 8).save(deep, "PNG")
    bomb = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 5000, 5000, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    good = {"animated.gif": stream.getvalue(), "cmyk.jpg": encoded(pixels, "JPEG", "CMYK"), "deep.png": deep.getvalue(),
            "dot.png": encoded(smooth(1, 1)), "turned.jpg": encoded(pixels, "JPEG", orientation=6)}
    whole = encoded(pixels, "JPEG", quality=95)
    bad = {"bomb.png": (bomb, "refused"), "cut.jpg": (whole[:len(whole) // 2], "undecodable"),
           "empty.jpg": (b"", "undecodable"), "text.jpg": (b"no picture", "undecodable")}
    return good | {name: content for name, (content, _) in bad.items()}, {name: bad[name][1] for name in bad}


@pytest.mark.slow
def test_odd_files_from_end_to_end(tmp_path: Path) -> None:
    files, bad = odd_files()
    for number in range(10):
        files |= {f"plain{number}.png": encoded(smooth(*SIZE, 0.3 * number))}
    for split in ("train", "val"):
        for label in ("a", "b"):
            (tmp_path / split / label).mkdir(parents=True)
            for name, content in files.items():
                (tmp_path / split / label / name).write_bytes(content)
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG.format(out=tmp_path / "out", data=tmp_path))
    done = subprocess.run([sys.executable, "tools/run_net.py", "--cfg", str(config), "DATA.MAX_BAD_SHARE", "0.5"],
                          cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    expected = {(f"{label}/{name}", status) for label in "ab" for name, status in bad.items()}
    manifests = [file for file in (tmp_path / "out" / "stages").rglob("manifest.json")
                 if json.loads(file.read_text())["name"] in ("pretrain", "extract", "train_cf")]
    assert len(manifests) > 4
    for file in manifests:
        found = {(line["path"], line["status"]) for line in read_failures(file.parent)}
        # N_cf learns rows that have a cluster, which those without features have not.
        assert found == (expected if json.loads(file.read_text())["name"] != "train_cf" else set()), file
    for shard in (tmp_path / "out" / "stages" / "extract").rglob("rows-000000000000-*"):
        _, valid = all_rows(FeatureStore.open(shard.parent))
        assert (len(valid), int(valid.sum())) == (2 * len(files), 2 * (len(files) - len(bad)))
