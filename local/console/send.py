"""Compose a context object from an example, send it, or send a burst of such."""

import json
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from local import paths
from local.channel import channel_for, record_key
from local.contexts import read_context, with_new_ids, with_numbered_recipient
from ops.commands.send import send

if TYPE_CHECKING:
    from local.console.operator import Parts

TEXT, AS_JSON = "text:", "json:"
"""Prefixes of the form's fields: a text, or any other value as JSON."""
JSON_PARTS = frozenset({"project_data"})
"""Parts of any shape, which have one field."""
MAX_BURST = 2_000
OPEN_PARTS = (
    *("conversation_data", "frontend_payload.recipient_data", "frontend_payload"),
    "company_data_payload",
)
"""The parts that are shown when the form opens; the others are one click away."""


def register(views: Blueprint, parts: "Parts") -> None:
    """Add the route that takes the form."""

    @views.post("/send/<example>")
    def submit(example: str) -> ResponseReturnValue:
        _check_example(example)
        content, problems = _content(request.form.to_dict())
        result = None
        if not problems:
            body = json.dumps(content)
            body = with_new_ids(body) if request.form.get("new_ids") else body
            result, problems = _send(parts, body)
        return render_template(
            "send.html",
            **_form(example, request.form.to_dict(), problems),
            result=result,
        )


def read(_: "Parts", arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return the form of an example."""
    example = arguments.get("example", "whatsapp")
    _check_example(example)
    context = json.loads(read_context(paths.EXAMPLE_CONTEXTS / f"{example}.json"))
    given = dict(_fields(context, ""))
    return _form(example, {**given, "new_ids": "1", "number": "1"}, {})


def examples() -> list[str]:
    """Return the names of the example context objects, the valid ones first."""
    names = sorted(path.stem for path in paths.EXAMPLE_CONTEXTS.glob("*.json"))
    return sorted(names, key=lambda name: name.startswith("bad-"))


def _check_example(name: str) -> None:
    if name not in examples():
        abort(404)


def _fields(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Yield the form's fields of a part of a context object, and their values."""
    for name, each in value.items():
        inner = f"{path}.{name}" if path else name
        if isinstance(each, dict) and name not in JSON_PARTS:
            yield from _fields(each, inner)
        elif isinstance(each, str):
            yield f"{TEXT}{inner}", each
        else:
            indent = 2 if isinstance(each, dict) else None
            yield f"{AS_JSON}{inner}", json.dumps(each, ensure_ascii=False, indent=indent)


def _content(form: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the context object of a form, and the problems of its fields by their paths.

    An empty field is left out.
    """
    content: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field, text in form.items():
        kind, separator, path = field.partition(":")
        if not separator or not text.strip():
            continue
        value: Any = text.replace("\r\n", "\n")
        if f"{kind}:" == AS_JSON:
            try:
                value = json.loads(text)
            except ValueError as error:
                problems[path] = f"expected JSON: {error}"
        *parents, name = path.split(".")
        part = content
        for parent in parents:
            part = part.setdefault(parent, {})
        part[name] = value
    return content, problems


def _form(example: str, given: Mapping[str, str], problems: Mapping[str, str]) -> dict[str, Any]:
    """Return what the template needs to show a form."""
    parts: dict[str, list[dict[str, Any]]] = {}
    left = dict(problems)
    missing = [path for path in problems if "." in path and not _has_field(given, path)]
    for field, text in (*given.items(), *((f"{TEXT}{path}", "") for path in missing)):
        kind, separator, path = field.partition(":")
        if separator:
            parent, _, name = path.rpartition(".")
            parts.setdefault(parent, []).append(
                {
                    "name": field,
                    "label": name,
                    "id": path.replace(".", "-"),
                    "value": text,
                    "is_json": f"{kind}:" == AS_JSON,
                    "rows": min(text.count("\n") + 1 + len(text) // 60, 16),
                    "problem": left.pop(path, ""),
                }
            )
    return {
        "example": example,
        "examples": examples(),
        "parts": parts,
        "open_parts": OPEN_PARTS,
        "problems": left,
        "problem_count": len(problems),
        "new_ids": bool(given.get("new_ids")),
        "number": given.get("number", "1"),
        "max_burst": MAX_BURST,
    }


def _has_field(given: Mapping[str, str], path: str) -> bool:
    return f"{TEXT}{path}" in given or f"{AS_JSON}{path}" in given


def _send(parts: "Parts", body: str) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """Send a context object as `ops send` does; return what it says, and the problems by field."""
    channel = channel_for(body, parts.cloud.channels)
    number = request.form.get("number", "1").strip()
    if not number.isdecimal() or not 1 <= int(number) <= MAX_BURST:
        return None, {"number": f"expected a number from 1 to {MAX_BURST}"}
    options = {"file": BytesIO(body.encode()), "show_personal_data": True, "yes": True}
    outcome = parts.operator.run(send, channel.resources.channel, options)
    document = outcome.document or {}
    if found := document.get("problems"):
        return None, {
            each["field"]: f"expected {each['expected']}, found {each['found']}" for each in found
        }
    for index in range(1, int(number)):
        channel.send(with_new_ids(with_numbered_recipient(body, index)))
    parts.journal.touch()
    return {
        "text": outcome.text,
        "number": int(number),
        "failed": outcome.exit_code,
        "key": record_key(body, channel.addressing),
    }, {}
