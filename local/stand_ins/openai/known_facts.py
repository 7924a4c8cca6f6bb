"""What a prompt tells about the recipient, the company and the project."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_LABELLED = re.compile(r"^[\s\-*]*([A-Za-z][\w' ]{1,40}?)\s*[:=]\s*(\S.*)$", re.MULTILINE)
_NOT_WORTH_TELLING = re.compile(r"(_id|_tel|_email|key|number|timestamp|status|url)$")
_MAX_DETAILS = 3
_DETAIL_LENGTH = 60
_MAX_FAILURES = 20  # so that a long text of opening braces costs no time


class KnownFacts:
    """Named values of a prompt: the leaves of its JSON, and its lines of the form `label: value`.

    Args:
        texts: The prompt's parts, those that count most first.
    """

    def __init__(self, texts: list[str]) -> None:
        self._values: dict[str, str] = {}
        self._details: dict[str, str] = {}
        for text in texts:
            self._read(text)

    def value(self, *names: str) -> str | None:
        """The value whose name ends with one of these, the first of which counts most."""
        for name in names:
            for known, value in self._values.items():
                if known == name or known.endswith(f"_{name}"):
                    return value
        return None

    def details(self) -> str:
        """Some of what is told about the project, for people; empty if nothing is."""
        told = [f"{name.replace('_', ' ')} {value}" for name, value in self._details.items()]
        return ", ".join(told[:_MAX_DETAILS])

    def _read(self, text: str) -> None:
        objects = list(_json_objects(text))
        for found in objects:
            self._read_object(found)
        if not objects:
            for label, value in _LABELLED.findall(text):
                self._values.setdefault(_snake_case(label), value.strip())

    def _read_object(self, found: Mapping[str, Any]) -> None:
        for path, value in _leaves(found):
            self._values.setdefault("_".join(path), value)
        project = found.get("project_data", found)
        for path, value in _leaves(project if isinstance(project, dict) else {}):
            if not _NOT_WORTH_TELLING.search(path[-1]) and len(value) <= _DETAIL_LENGTH:
                self._details.setdefault(path[-1], value)


def _json_objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    position = text.find("{")
    failures = 0
    while position != -1 and failures < _MAX_FAILURES:
        try:
            found, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            failures += 1
            end = position + 1
        else:
            yield found
        position = text.find("{", end)


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    pending = [(path, value)]
    while pending:
        path, value = pending.pop(0)
        if isinstance(value, dict):
            pending[:0] = [((*path, name), inner) for name, inner in value.items()]
        elif path and type(value) in {str, int, float} and str(value).strip():
            yield path, " ".join(str(value).split())


def _snake_case(label: str) -> str:
    return re.sub(r"\W+", "_", label.replace("'s", "").strip().lower())
