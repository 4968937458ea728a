"""iNaturalist's annotations in COCO's form: labels are category ids of the JSON, never what a path says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cfvideo.core.errors import DataError
from cfvideo.core.formats.json_files import parsed_json, text_in
from cfvideo.core.formats.list_files import Where
from cfvideo.core.formats.source import Names, Source, label_id
from cfvideo.core.formats.weak_labels import file_name
from cfvideo.core.index import Index
from cfvideo.core.index_columns import ids_of

# What is read of each table, and of which type it must be.
_TABLES: Mapping[str, Mapping[str, type]] = {
    "categories": {"id": int, "name": str}, "images": {"id": int, "file_name": str},
    "annotations": {"image_id": int, "category_id": int}}


def read_inaturalist(source: Source) -> Index:
    """{"images": [{"id", "file_name"}], "annotations": [{"image_id", "category_id"}], "categories": [{"id", "name"}]}.

    Labels are in the order of the category ids; an image without an annotation (the test split) has none.
    """
    found = parsed_json(source.path, text_in(source.path))
    images, categories = _table(source.path, found, "images"), _table(source.path, found, "categories")
    annotations = _table(source.path, found, "annotations") if "annotations" in found else []
    names, label_of = _labels(source, categories)
    labels_of: dict[int, list[int]] = {image["id"]: [] for image in images}
    for annotation in annotations:
        image, category = annotation["image_id"], annotation["category_id"]
        if image not in labels_of or category not in label_of:
            raise DataError(f"{source.path}: an annotation joins image {image} and category {category}, which are not "
                            "both in the file")
        labels_of[image].append(label_of[category])
    rows = source.rows()
    for number, image in enumerate(images, start=1):
        where = Where(source.path, number)
        rows.add(where, file_name(where, image["file_name"]), labels_of[image["id"]])
    return rows.index(names)


def _table(path: Path, found: Any, name: str) -> Sequence[Mapping[str, Any]]:
    """One list of objects of the file. Raises DataError where it is not what iNaturalist's is."""
    wanted = _TABLES[name]
    table = found.get(name) if isinstance(found, dict) else None
    if not isinstance(table, list):
        raise DataError(f'{path}: holds no list "{name}"; iNaturalist\'s files have {", ".join(_TABLES)}')
    for number, entry in enumerate(table, start=1):
        if not isinstance(entry, dict) or not all(type(entry.get(key)) is kind for key, kind in wanted.items()):
            raise DataError(f"{path}: {name}, entry {number}: expected "
                            f"{ {key: kind.__name__ for key, kind in wanted.items()} }, got {str(entry)[:80]}")
    ids = Counter(entry["id"] for entry in table) if "id" in wanted else Counter[int]()
    if ids and (most := ids.most_common(1)[0])[1] > 1:
        raise DataError(f"{path}: {name}: the id {most[0]} is there {most[1]} times")
    return table


def _labels(source: Source, categories: Sequence[Mapping[str, Any]]) -> tuple[Names, dict[int, int]]:
    """Label names, and category id -> label id. Names that two categories share get their ids behind them."""
    ordered = sorted(categories, key=lambda category: int(category["id"]))
    uses = Counter(category["name"] for category in ordered)
    own = tuple(category["name"] if uses[category["name"]] == 1 else f"{category['name']} ({category['id']})"
                for category in ordered)
    names = own if source.label_names is None else source.label_names
    ids = ids_of(names, str(source.path))
    return names, {category["id"]: label_id(ids, name, source.path)
                   for category, name in zip(ordered, own, strict=True)}
