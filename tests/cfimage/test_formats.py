"""Every image format in its on-disk form, and what is wrong with it, by file and line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from cfimage import formats
from cfimage.formats import read_index
from cfvideo.core.errors import DataError
from cfvideo.core.formats.index_file import write_parquet
from cfvideo.core.index import Index
from cfvideo.core.specs import FORMATS
from cfvideo.data.formats import FORMATS as VIDEO_FORMATS
from tests.data.test_formats_tar import write_shard
from tests.format_files import labels_of, named_labels_of, names_of, touch, write_list


def read(format: str, path: Path, **more: Any) -> Index:
    return read_index(format=format, path=path, **more)


def test_the_schema_knows_every_format_of_both_modalities(tmp_path: Path) -> None:
    assert set(FORMATS) == set(formats.FORMATS) | set(VIDEO_FORMATS)
    assert len(FORMATS) == len(set(FORMATS))
    with pytest.raises(DataError, match="'kinetics' of images; allowed: imagenet, "):
        read("kinetics", tmp_path)


def test_imagenet(tmp_path: Path) -> None:
    touch(tmp_path, "n02/b.JPEG", "n02/a.png", "n02/notes.txt", "n01/10.jpeg", "n01/9.jpg", "n01/clip.mp4")
    index = read("imagenet", tmp_path)
    assert index.label_names == ("n01", "n02")
    assert names_of(index) == ["n01/10.jpeg", "n01/9.jpg", "n02/a.png", "n02/b.JPEG"]
    assert labels_of(index) == [[0], [0], [1], [1]]
    (tmp_path / "none" / "n01").mkdir(parents=True)
    with pytest.raises(DataError, match="no class folder holds any image"):
        read("imagenet", tmp_path / "none")


def test_a_flat_validation_folder_with_its_map(tmp_path: Path) -> None:
    touch(tmp_path, "val/ILSVRC2012_val_00000001.JPEG", "val/a b.JPEG")
    content = b"val/ILSVRC2012_val_00000001.JPEG n02\nval/a b.JPEG\tn01\nval/c.jpg, golden retriever\r\n"
    index = read("path_name", write_list(tmp_path, content), label_names=("n01", "n02", "golden retriever"))
    assert names_of(index) == ["val/ILSVRC2012_val_00000001.JPEG", "val/a b.JPEG", "val/c.jpg"]
    assert labels_of(index) == [[1], [0], [2]]
    assert index.num_missing == 1
    assert read("path_name", write_list(tmp_path, content)).label_names == ("golden retriever", "n01", "n02")


def test_the_solution_file_of_imagenets_challenge(tmp_path: Path) -> None:
    path = write_list(tmp_path, b"ImageId,PredictionString\nILSVRC2012_val_00048981,n03 85 1 499 272 \n"
                                b"ILSVRC2012_val_00037956,n01 2 53 284 350 n01 1 2 3 4 \n", "LOC_val_solution.csv")
    index = read("path_name", path)
    assert names_of(index) == ["ILSVRC2012_val_00048981.JPEG", "ILSVRC2012_val_00037956.JPEG"]
    assert named_labels_of(index) == [["n03"], ["n01"]]


@pytest.mark.parametrize(("format", "line", "message"), [
    ("path_name", b"x.jpg", "class is missing"), ("path_name", b"x.jpg cat", "'cat' is unknown to the training split"),
    ("path_name", b"../x.jpg a", "leaves the root"), ("path_name", b"ok.jpg a", "listed twice"),
    ("path_name", b"x.jpg \xff", "not UTF-8"), ("path_labels", b"x.jpg", "label is missing"),
    ("path_labels", b"x.jpg 1 one", "'one' is not"), ("path_labels", b"x.jpg 7", "'7' is not"),
    ("path_label", b"x.jpg 300 1", "several labels"), ("places365", b"//x.jpg 1", "absolute"),
    ("places365", b"/x.jpg -1", "'-1' is not"), ("weak_labels", b"{}", "expected")])
def test_errors_name_the_line(tmp_path: Path, format: str, line: bytes, message: str) -> None:
    good = b'{"path": "ok.jpg", "tags": []}' if format == "weak_labels" else (
        b"ok.jpg a" if format == "path_name" else b"ok.jpg 0")
    path = write_list(tmp_path, good + b"\r\n\r\n" + line)
    with pytest.raises(DataError, match=message) as error:
        read(format, path, label_names=("a", "b"))
    assert f"{path}:3" in str(error.value)


def test_several_labels(tmp_path: Path) -> None:
    path = write_list(tmp_path, b"a b.jpg 2 0\nc.png 1,2\n")
    index = read("path_labels", path)
    assert (names_of(index), labels_of(index)) == (["a b.jpg", "c.png"], [[0, 2], [1, 2]])
    (tmp_path / "labels.txt").write_text("sky\nsea\nsand\n")
    assert read("path_labels", path).label_names == ("sky", "sea", "sand")


def test_places365(tmp_path: Path) -> None:
    touch(tmp_path, "data/a/airfield/1.jpg")
    path = write_list(tmp_path, b"/a/airfield/1.jpg 0\n/a/apartment_building/outdoor/2.jpg 1\n")
    root = tmp_path / "data"
    assert read("places365", path, root=root).label_names == ("0", "1")
    write_list(tmp_path, b"/a/airfield 0\n/a/apartment_building/outdoor 1\n/z/zoo 2\n", "categories_places365.txt")
    index = read("places365", path, root=root)
    assert index.label_names == ("airfield", "apartment_building/outdoor", "zoo")
    assert names_of(index) == ["a/airfield/1.jpg", "a/apartment_building/outdoor/2.jpg"]
    assert (labels_of(index), index.sizes_bytes.tolist()) == ([[0], [1]], [4, -1])
    test = write_list(tmp_path, b"Places365_test_00000001.jpg\n", "places365_test.txt")
    assert labels_of(read("places365", test)) == [[]]
    for content, message in ((b"/a/airfield 1\n", "category 1 stands where 0 is due"), (b"airfield 0\n", "expected")):
        write_list(tmp_path, content, "categories_places365.txt")
        with pytest.raises(DataError, match=rf"categories_places365\.txt:1: {message}"):
            read("places365", path)


INAT: dict[str, list[dict[str, Any]]] = {
    "images": [{"id": 9, "file_name": "train_val2018/Aves/1/a.jpg"},
               {"id": 4, "file_name": "train_val2018/Fungi/0/b.jpg"}, {"id": 5, "file_name": "x/c.jpg"}],
    "annotations": [{"id": 0, "image_id": 4, "category_id": 30}, {"id": 1, "image_id": 9, "category_id": 7}],
    "categories": [{"id": 30, "name": "Boletus", "supercategory": "Fungi"}, {"id": 7, "name": "Parus"},
                   {"id": 8, "name": "Parus"}]}


def test_inaturalist_takes_ids_from_the_json(tmp_path: Path) -> None:
    touch(tmp_path, "train_val2018/Aves/1/a.jpg")
    path = write_list(tmp_path, json.dumps(INAT).encode(), "train2018.json")
    index = read("inaturalist", path)
    assert index.label_names == ("Parus (7)", "Parus (8)", "Boletus")
    assert names_of(index) == ["train_val2018/Aves/1/a.jpg", "train_val2018/Fungi/0/b.jpg", "x/c.jpg"]
    assert (labels_of(index), index.sizes_bytes.tolist()) == ([[0], [2], []], [4, -1, -1])
    names = (*index.label_names, "more")
    assert read("inaturalist", path, label_names=names).label_names == names
    with pytest.raises(DataError, match=r"'Parus \(7\)' is unknown"):
        read("inaturalist", path, label_names=("Boletus",))


def changed(table: str, entry: Any) -> dict[str, Any]:
    return INAT | {table: [*INAT[table], entry]}


@pytest.mark.parametrize(("content", "message"), [
    ([], 'no list "images"'), ({"images": {}}, 'no list "images"'), (INAT | {"categories": 3}, 'no list "categories"'),
    (changed("images", {"id": "1", "file_name": "x.jpg"}), "images, entry 4: expected"),
    (changed("images", {"id": True, "file_name": "x.jpg"}), "images, entry 4: expected"),
    (changed("images", 7), "images, entry 4"), (changed("images", {"id": 9, "file_name": "y.jpg"}), "id 9 is there 2"),
    (changed("images", {"id": 1, "file_name": "../x.jpg"}), "leaves the root"),
    (changed("images", {"id": 1, "file_name": "x/c.jpg"}), "listed twice"),
    (changed("annotations", {"image_id": 1, "category_id": 7}), "image 1 and category 7, which are not"),
    (changed("annotations", {"image_id": 9, "category_id": 1}), "which are not both"),
    (changed("categories", {"id": 7, "name": "z"}), "id 7 is there 2 times"),
    (changed("categories", {"id": 1}), "categories, entry 4")])
def test_inaturalist_errors(tmp_path: Path, content: Any, message: str) -> None:
    path = write_list(tmp_path, json.dumps(content).encode(), "train2018.json")
    with pytest.raises(DataError, match=message) as error:
        read("inaturalist", path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(("content", "message"), [(b"{", "not JSON"), (b"\xff", "not UTF-8")])
def test_inaturalist_that_is_no_json(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read("inaturalist", write_list(tmp_path, content))


Voc = Callable[..., Path]


@pytest.fixture
def voc(tmp_path: Path) -> Voc:
    """Two splits of VOC2007: an image per line of trainval.txt and test.txt, two classes; `changes` replace files."""

    def make(**changes: str | None) -> Path:
        folder = tmp_path / "VOC2007" / "ImageSets" / "Main"
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[str, str | None] = {
            "trainval": "000005\n000007\n000012\n", "chair_trainval": "000005  1\n000007 -1\n000012  0\n",
            "car_trainval": "000005  1\n000007  1\n000012 -1\n", "test": "000001\n000002\n",
            "car_test": "000001 -1\n000002  0\n", "chair_test": "000001 +1\n000002  0\n", "val": "000005\n"}
        for name, content in (files | changes).items():
            if content is not None:
                (folder / f"{name}.txt").write_text(content)
        touch(tmp_path / "VOC2007" / "JPEGImages", "000005.jpg")
        return folder

    return make


def test_voc_has_several_labels_and_difficult_ones_that_a_test_ignores(voc: Voc) -> None:
    folder = voc()
    train = read("voc", folder / "trainval.txt")
    assert train.label_names == ("car", "chair")
    assert names_of(train) == [f"JPEGImages/{name}.jpg" for name in ("000005", "000007", "000012")]
    assert labels_of(train) == [[0, 1], [0], []]  # a difficult chair is no chair: a negative in training
    assert train.ignored.tolist() == [[2, 1]]
    assert train.sizes_bytes.tolist() == [4, -1, -1]
    test = read("voc", folder / "test.txt", label_names=train.label_names)
    assert labels_of(test) == [[1], []]
    assert [test.ignored_of(row).tolist() for row in (0, 1)] == [[], [0, 1]]
    assert read("voc", folder / "test.txt", root=folder.parent).num_missing == 2
    test.save(folder / "test.arrow")
    assert read("index", folder / "test.arrow").ignored.tolist() == [[1, 0], [1, 1]]
    write_parquet(test, folder / "test.parquet")
    metadata = pyarrow.parquet.read_schema(folder / "test.parquet").metadata
    assert json.loads(metadata[b"cfvideo.ignored"]) == [[1, 0], [1, 1]]


@pytest.mark.parametrize(("changes", "message"), [
    ({"car_trainval": "000005 1\n000007 1\n"}, "car_trainval.txt: says nothing of 1 of the split's 3 images"),
    ({"car_trainval": "000005 1\n000099 1\n"}, r"car_trainval\.txt:2: expected 'image -1'.*000099"),
    ({"car_trainval": "000005 2\n"}, r"car_trainval\.txt:1: expected"), ({"car_trainval": "000005"}, "expected"),
    ({"car_trainval": "000005 1\n000005 1\n"}, r":2: expected .* once"),
    ({"trainval": "000005\n\n000005\n"}, r"trainval\.txt:3: 000005 is listed twice, first in .*trainval\.txt:1"),
    ({"trainval": "../../x\n", "car_trainval": "../../x 1\n", "chair_trainval": "../../x 1\n"}, "leaves the root")])
def test_voc_errors(voc: Voc, changes: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read("voc", voc(**changes) / "trainval.txt")


def test_voc_without_lists_of_classes(voc: Voc) -> None:
    with pytest.raises(DataError, match=r"no list of a class \(aeroplane_val\.txt"):
        read("voc", voc() / "val.txt")


def test_shards_folders_and_tags_hold_images(tmp_path: Path) -> None:
    members = [("0.jpg", b"picture"), ("0.cls", b"3"), ("1.PNG", b"x"), ("1.json", b'{"label": 0}')]
    write_shard(tmp_path / "s.tar", members)
    index = read("tar", tmp_path)
    assert (names_of(index), labels_of(index)) == (["s.tar/0.jpg", "s.tar/1.PNG"], [[3], [0]])
    write_shard(tmp_path / "s.tar", [("0.mp4", b"video")])
    with pytest.raises(DataError, match="which holds no image"):
        read("tar", tmp_path)
    touch(tmp_path / "tree", "b/c/d.webp", "a.jpg", "b/movie.mp4")
    assert names_of(read("folder", tmp_path / "tree")) == ["a.jpg", "b/c/d.webp"]
    tags = write_list(tmp_path, b'{"path": "tree/a.jpg", "tags": ["#dog", "#cat"]}\n')
    assert named_labels_of(read("weak_labels", tags)) == [["#cat", "#dog"]]


@pytest.mark.parametrize("name", ["ü\u0301 a.jpg", "-rf.jpg", "%20<script>.jpg", "n" * 250 + ".jpg", "quote'\".jpg",
                                  "tab\tnew\nline.jpg", b"\xff\xfe.jpg"])
def test_names_of_files_survive(tmp_path: Path, name: str | bytes) -> None:
    raw = os.fsencode(name)
    os.mkdir(tmp_path / "class")
    with open(os.fsencode(tmp_path) + b"/class/" + raw, "wb") as file:
        file.write(b"content")
    index = read("imagenet", tmp_path)
    assert index.path_of(0).read_bytes() == b"content"
    assert index.name_of(0).isprintable()
