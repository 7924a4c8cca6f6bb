"""Extreme message bodies: the example's context object with extreme JSON in it, or no such object.

Every string and name begins with `MARK`, so that it is found wherever it gets.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.support.channel import RECIPIENT, context

MARK = "\ua66e"
"""A letter of no living language (in Unicode, the multiocular O)."""
MAX_MESSAGE_BYTES = 1_048_576
"""SQS's limit for one message."""
SURELY_STORED_BYTES = 100_000
"""JSON of this size fits a record, however it is counted."""


class Expectation(IntEnum):
    """What must happen to a body; that of a whole is the least of its parts."""

    REFUSED = 0  # it is ambiguous, too deep, or no JSON in the strict sense
    EITHER = 1  # it may be too large, or where it must not be
    SENT = 2  # it must be in the record as it is


class JsonText(NamedTuple):
    """JSON text, what must happen to a body that contains it, and whether others can read it."""

    json: str
    expectation: Expectation = Expectation.SENT
    is_readable: bool = True  # by Python's own parser, which so finds the record's key beside it


NUMBERS = (
    "0", "-0", "-0.0", "1E+5", "1e5", "0.1", "12.850", "1e-130", "1e-131", "1e125", "9.9e126",
    "1e400", "-1e400", "1e-400", "5e-324", "2e-324", "0e99999", "1.7976931348623157e308",
    "0.1234567890123456789012345678901234567890", "1234567890123456789012345678901234567890.5",
    "1" + "0" * 37, "9" * 38, "9" * 39, "-" + "9" * 40, "9" * 4_000,
)  # fmt: skip
REFUSED_VALUES = (
    "NaN", "Infinity", "-Infinity", "9" * 4_301, "1" + "0" * 9_999, "1e99999999999999999999",
    "0e99999999999999999999", f'"{MARK}\\ud800"', f'"{MARK}\\udc00\\ud800"', f'"{MARK}\ud800"',
)  # fmt: skip
LETTERS = (
    "😀👩‍🚀🏴󠁧󠁢󠁳󠁣󠁴󠁿\U0010ffff"  # beyond the basic plane, joined, tagged
    "שלום مرحبا\u202e\u2066\u2069\u200f\u061c"  # right to left, and what changes directions
    "\x00\x01\x07\x08\x0b\x1b\x1f\x7f\x85\x9f\r\n\t"  # controls
    "\u2028\u2029\ufeff\ufffe\uffff\u00ad\u200b"  # separators, marks, no characters
    "\\\"/'{}[]<>&%$;=,:` üß國ไทย"
)
ESCAPES = (r"\ud83d\ude00", r"\u0000", r"\u202e", r"\/", r"\\ud800", r"\b\f")
DEPTHS = (2, 20, 24, 25, 26, 33, 100, 180)
TOO_DEEP = (201, 300, 500, 1_000, 20_000, 60_000)
MAX_READABLE_DEPTH = 800
"""Deeper text is not read by Python's own parser, or not always."""
LENGTHS = (255, 1_024, 65_535, 65_536, 70_000)
COUNTS = (100, 3_000, 200_000)


def quoted(text: str) -> str:
    """Return a marked string of JSON in which only what must be is escaped."""
    return json.dumps(MARK + text, ensure_ascii=False)


def one_of_long(texts: Sequence[str]) -> st.SearchStrategy[str]:
    """Draw one of many long texts, by its number, since hypothesis would print all of them."""
    return st.integers(0, len(texts) - 1).map(lambda number: texts[number])


numbers = st.one_of(
    one_of_long(NUMBERS),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
).map(JsonText)
strings = st.one_of(
    st.text(st.one_of(st.sampled_from(LETTERS), st.characters(codec="utf-8")), max_size=30).map(
        quoted
    ),
    st.text(max_size=10).map(lambda text: json.dumps(MARK + text)),
    st.sampled_from(ESCAPES).map(lambda escape: f'"{MARK}{escape}"'),
    st.sampled_from(LENGTHS).map(lambda length: quoted("é" * (length // 2))),
    st.just('""'),
).map(JsonText)
names = st.one_of(
    strings.map(lambda text: text.json), st.integers(0, 9).map(lambda n: quoted(str(n)))
)
empties = st.sampled_from(["[]", "{}", "null", "true", "false", '{"":""}', '{"":[{"":{}}]}']).map(
    JsonText
)


def _nested(levels: int, opening: str) -> JsonText:
    inner, closing = ("{}", "}") if opening.endswith(":") else ("[]", "]")
    text = opening * levels + inner + closing * levels
    expectation = Expectation.SENT if levels <= max(DEPTHS) else Expectation.REFUSED
    return JsonText(text, expectation, levels <= MAX_READABLE_DEPTH)


openings = st.sampled_from(["[", f'{{"{MARK}":', '{"":'])
nested = st.builds(_nested, st.sampled_from(DEPTHS), openings)
too_deep = st.builds(_nested, st.sampled_from(TOO_DEEP), openings)
huge = st.builds(
    lambda count, part: JsonText(f"[{','.join([part] * count)}]", Expectation.EITHER),
    st.sampled_from(COUNTS),
    st.sampled_from(["0", "-1.5", '""', "[]", "{}", '{"":0}', "null", f'"{MARK}😀"']),
)
ambiguous = st.builds(
    lambda name, one, two: f"{{{name}:{one.json},{name}:{two.json}}}", names, numbers, strings
)
refused = st.one_of(one_of_long(REFUSED_VALUES), ambiguous).map(
    lambda text: JsonText(text, Expectation.REFUSED)
)
valid = st.one_of(numbers, strings, empties, nested, numbers, strings)


def _array(parts: list[JsonText]) -> JsonText:
    return _whole(f"[{','.join(part.json for part in parts)}]", parts)


def _object(values: list[JsonText], beginnings: list[str]) -> JsonText:
    # Numbered names, so that none appears twice.
    fields = [
        f'{name[:-1]}{number}":{value.json}'
        for number, (name, value) in enumerate(zip(beginnings, values, strict=False))
    ]
    return _whole(f"{{{','.join(fields)}}}", values)


def _whole(text: str, parts: list[JsonText]) -> JsonText:
    least = min((part.expectation for part in parts), default=Expectation.SENT)
    return JsonText(text, least, all(part.is_readable for part in parts))


def _with_containers(leaves: st.SearchStrategy[JsonText]) -> st.SearchStrategy[JsonText]:
    beginnings = st.lists(names, min_size=4, max_size=4)
    return st.recursive(
        leaves,
        lambda parts: st.one_of(
            st.lists(parts, max_size=4).map(_array),
            st.builds(_object, st.lists(parts, max_size=4), beginnings),
        ),
        max_leaves=6,
    )


valid_values = _with_containers(valid)
"""Any JSON value that must be accepted, as extreme as possible."""
values = _with_containers(st.one_of(valid, valid, huge, too_deep, refused))
"""Any JSON value, and what looks like one."""

FREE = (
    "frontend_payload.project_data.odd", "company_data_payload.company_rep.odd",
    "company_data_payload.ai_config.odd", "company_data_payload.ai_config.openai_config.sms",
    "company_data_payload.ai_config.openai_config.whatsapp.odd",
    "company_data_payload.channel_config.odd", "company_data_payload.auto_queue_odd",
    "company_data_payload.rate_limits", "company_data_payload.odd",
    "frontend_payload.company_data.api_key", "metadata.odd", "odd",
)  # fmt: skip
"""Where any value is allowed."""
FREE_TEXT = (
    "metadata.router_version", "frontend_payload.recipient_data.recipient_last_name",
    "frontend_payload.recipient_data.recipient_email", "conversation_data.conversation_status",
)  # fmt: skip
"""Where any string is allowed."""
STRICT = (
    "metadata", "conversation_data", "conversation_data.conversation_id",
    "frontend_payload.recipient_data", "frontend_payload.recipient_data.recipient_tel",
    "frontend_payload.recipient_data.comms_consent", "frontend_payload.request_data.request_id",
    "frontend_payload.request_data.channel_method",
    "frontend_payload.request_data.initial_request_timestamp", "frontend_payload.project_data",
    "company_data_payload", "company_data_payload.company_name", "company_data_payload.company_rep",
    "company_data_payload.project_status", "company_data_payload.allowed_channels",
    "company_data_payload.ai_config.openai_config.whatsapp.api_key_reference",
    "company_data_payload.ai_config.openai_config.whatsapp.assistant_id_template_sender",
    "company_data_payload.ai_config.openai_config.whatsapp.assistant",
    "company_data_payload.ai_config.openai_config.whatsapp.engine",
    "company_data_payload.channel_config.whatsapp.company_whatsapp_number",
    "company_data_payload.channel_config.whatsapp.whatsapp_credentials_id",
)  # fmt: skip
"""Where only certain values are allowed."""
KEY = {
    "conversation_data", "conversation_data.conversation_id", "frontend_payload.recipient_data",
    "frontend_payload.recipient_data.recipient_tel",
}  # fmt: skip
"""Where the record's key is."""


@dataclass(frozen=True)
class ExtremeBody:
    """A body, and what is known of it by how it was made."""

    text: str
    key: tuple[str, str] | None
    expectation: Expectation


@dataclass(frozen=True)
class Edit:
    """A value put somewhere into the example."""

    path: str
    value: JsonText

    @property
    def expectation(self) -> Expectation:
        """What must happen to the example because of this value alone."""
        if self.path in STRICT:
            return min(self.value.expectation, Expectation.EITHER)
        return self.value.expectation


harmless = st.one_of(
    st.builds(Edit, st.sampled_from(FREE), valid_values),
    st.builds(Edit, st.sampled_from(FREE), valid_values),
    st.builds(Edit, st.sampled_from(FREE_TEXT), strings),
)
edits = st.one_of(
    harmless,
    st.builds(Edit, st.sampled_from(FREE), values),
    st.builds(Edit, st.sampled_from(STRICT), st.one_of(valid_values, strings, values)),
)


def edited(conversation_id: str, changes: Sequence[Edit], padding: int = 0) -> ExtremeBody:
    """Return the example with these values, and blanks up to a size in bytes."""
    document = json.loads(context(conversation_id=conversation_id))
    # A part before its own parts, which are not changed where the part is something else by now.
    applied = [edit for edit in sorted(changes, key=lambda e: e.path) if _put(document, edit)]
    text = json.dumps(document, default=_placeholder)
    for edit in applied:
        text = text.replace(json.dumps(_placeholder(edit)), edit.value.json, 1)
    expectation = min((edit.expectation for edit in applied), default=Expectation.SENT)
    if len(text) > SURELY_STORED_BYTES:
        expectation = min(expectation, Expectation.EITHER)
    has_key = all(edit.path not in KEY and edit.value.is_readable for edit in applied)
    blanks = " " * (padding - len(text.encode("utf-8", "surrogatepass")))
    key = (RECIPIENT, conversation_id) if has_key else None
    return ExtremeBody(text + blanks, key, expectation)


def _put(document: dict[str, Any], edit: Edit) -> bool:
    *parents, name = edit.path.split(".")
    part: Any = document
    for parent in parents:
        part = part[parent]
        if not isinstance(part, dict):
            return False  # another value is there by now
    part[name] = edit
    return True


def _placeholder(edit: Edit) -> str:
    return f"placeholder {id(edit)}"


WHOLE = context()
NO_OBJECTS = (
    *("", " ", "\x00", "null", "1", "-0.0", '"text"', "[]", "[[]]", "NaN", "1e400"),
    *(WHOLE[:-1], WHOLE[:200], f"{WHOLE}x", f"\ufeff{WHOLE}", WHOLE.replace('"', "'")),
    *(f"[{WHOLE}]", WHOLE + WHOLE, WHOLE.replace("{", "[", 1), "{" * 60_000, "]" * 60_000),
    *(f"<html>{MARK}</html>", "[" * 501 + '"' + r"\"" * 200_000),
)
no_objects = st.one_of(
    one_of_long(NO_OBJECTS), st.text(max_size=40).map(lambda text: MARK + text)
).map(lambda text: ExtremeBody(text, None, Expectation.REFUSED))
"""Bodies that are no JSON, or no object."""


def extreme_bodies(conversation_id: str) -> st.SearchStrategy[ExtremeBody]:
    """Draw extreme bodies of that conversation."""

    def mixtures(parts: st.SearchStrategy[Edit]) -> st.SearchStrategy[ExtremeBody]:
        return st.builds(
            edited,
            st.just(conversation_id),
            st.lists(parts, min_size=1, max_size=4, unique_by=lambda edit: edit.path),
            st.sampled_from([0, 0, 0, MAX_MESSAGE_BYTES]),
        )

    return st.one_of(mixtures(harmless), mixtures(edits), mixtures(harmless), no_objects)
