"""Something-Something, both versions: templates with a hole for every object, as labels.

| version | list; the test split has the ids alone | videos |
|---|---|---|
| v1 | `100218;Something falling like a feather or paper`, no header | `{id}/00001.jpg ...` |
| v2 | JSON `[{"id": "78687", "template": "Holding [something]", ...}]` | `{id}.webm` |

The labels lie beside the list: `something-something-v1-labels.csv`, one per line, or `labels.json`, name -> "number".
The videos lie in the root, by default the folder `20bn-something-something-v1` (-v2) beside the list, or else there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cfvideo.core.errors import DataError
from cfvideo.core.file_names import printable
from cfvideo.core.formats.json_files import parsed_json, text_in
from cfvideo.core.formats.list_files import Where, lines_of, text_of
from cfvideo.core.formats.source import Names, Source, label_id, names_in
from cfvideo.core.index import Index
from cfvideo.core.index_columns import ids_of

_BETWEEN = re.compile(r"[ \t\r\n,]*")
_LABELS_V1 = ("something-something-v1-labels.csv",)
_LABELS_V2 = ("something-something-v2-labels.json", "labels.json")


def read_sthsth_v1(source: Source) -> Index:
    names = source.label_names if source.label_names is not None else _names(source.path.parent, _LABELS_V1)
    ids, rows = ids_of(names), source.rows(_videos(source, "20bn-something-something-v1"))
    for where, line in lines_of(source.path):
        key, separator, label = line.partition(b";")
        _check_key(where, key)
        if separator and not label.strip():
            raise DataError(f"{where}: the label behind ';' is missing")
        rows.add(where, key.strip(), [label_id(ids, text_of(where, label.strip()), where)] if separator else [])
    return rows.index(names)


def read_sthsth_v2(source: Source) -> Index:
    names = source.label_names if source.label_names is not None else _names(source.path.parent, _LABELS_V2)
    ids, rows = ids_of(names), source.rows(_videos(source, "20bn-something-something-v2"))
    for where, record in _json_records(source.path):
        key, template = record.get("id"), record.get("template")
        if not isinstance(key, str) or not isinstance(template, str | None):
            raise DataError(f'{where}: expected {{"id": "...", "template": "..."}}, got {json.dumps(record)[:80]}')
        _check_key(where, key.encode("utf-8", "replace"))
        label = None if template is None else template.replace("[", "").replace("]", "")
        rows.add(where, f"{key}.webm".encode(), [] if label is None else [label_id(ids, label, where)])
    return rows.index(names)


def _check_key(where: Where, key: bytes) -> None:
    if not key.strip().isdigit():
        raise DataError(f"{where}: {printable(key)!r} is not the number of a video; v1 lists have lines "
                        "'number;label', v2 lists are JSON with \"id\": \"number\"")


def _videos(source: Source, folder: str) -> Path:
    if source.root is not None:
        return source.root
    beside = source.path.parent / folder
    return beside if beside.is_dir() else source.path.parent


def _names(folder: Path, candidates: tuple[str, ...]) -> Names:
    for file in (folder / name for name in candidates):
        if file.exists():
            names = _names_in_json(file) if file.suffix == ".json" else names_in(file)
            if names:
                return names
    raise DataError(f"{folder}: the file of label names is missing or empty; expected beside the list: "
                    f"{' or '.join(candidates)}")


def _names_in_json(file: Path) -> Names:
    """{"name": "0", ...} -> names by number."""
    found = parsed_json(file, text_in(file))
    if not isinstance(found, dict) or not all(isinstance(number, str | int) for number in found.values()):
        raise DataError(f'{file}: expected {{"label": "number", ...}}')
    numbers = {str(number): name for name, number in found.items()}
    if sorted(numbers) != sorted(map(str, range(len(found)))):
        raise DataError(f"{file}: the numbers of the {len(found)} labels are not 0 to {len(found) - 1}, each once")
    return tuple(numbers[str(number)] for number in range(len(found)))


def _json_records(file: Path) -> Iterator[tuple[Where, dict[str, Any]]]:
    """The objects of a JSON array, each with the line on which it begins."""
    text = text_in(file)
    records = parsed_json(file, text)
    if not isinstance(records, list):
        raise DataError(f"{file}: expected a JSON list of objects, got {type(records).__name__}")
    decoder, position, line = json.JSONDecoder(), text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    for record in records:
        start = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]  # matches nothing at all too
        line += text.count("\n", position, start)
        if not isinstance(record, dict):
            raise DataError(f"{file}:{line}: expected an object, got {json.dumps(record)[:80]}")
        yield Where(file, line), record
        position = decoder.raw_decode(text, start)[1]
        line += text.count("\n", start, position)
