"""Reads a page back as a person would: its tags, and its text without tags."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from cfvideo.core.report.data import ReportData
from cfvideo.core.report.page import render

VOID = {"meta", "link", "img", "source", "wbr"}


class Reader(HTMLParser):
    """Text, tags with their attributes, and whether every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("sub", "wbr"):
            self.words.append(" ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def read(data: ReportData, folder: Path) -> tuple[str, Reader]:
    html = render(data, folder).read_text(encoding="utf-8")
    return html, Reader(html)
