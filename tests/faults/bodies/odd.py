"""Odd bodies: the example's context object with extreme values in it, or no context object."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.faults.bodies.json_text import (
    MARK,
    Fitness,
    Text,
    fine_values,
    one_of_long,
    strings,
    values,
)
from tests.services.channel import RECIPIENT, context

LARGEST_MESSAGE = 1_048_576
"""Bytes that SQS takes as one message."""
SURELY_STORED = 100_000
"""Bytes of JSON that a record holds however they are counted."""

FREE = (
    "frontend_payload.project_data.odd",
    "company_data_payload.company_rep.odd",
    "company_data_payload.ai_config.odd",
    "company_data_payload.ai_config.openai_config.sms",
    "company_data_payload.ai_config.openai_config.whatsapp.odd",
    "company_data_payload.channel_config.odd",
    "company_data_payload.auto_queue_odd",
    "company_data_payload.rate_limits",
    "company_data_payload.odd",
    "frontend_payload.company_data.api_key",
    "metadata.odd",
    "odd",
)
"""Where any value may stand."""
FREE_TEXT = (
    "metadata.router_version",
    "frontend_payload.recipient_data.recipient_last_name",
    "frontend_payload.recipient_data.recipient_email",
    "conversation_data.conversation_status",
)
"""Where any string may stand."""
STRICT = (
    "metadata",
    "conversation_data",
    "conversation_data.conversation_id",
    "frontend_payload.recipient_data",
    "frontend_payload.recipient_data.recipient_tel",
    "frontend_payload.recipient_data.comms_consent",
    "frontend_payload.request_data.request_id",
    "frontend_payload.request_data.channel_method",
    "frontend_payload.request_data.initial_request_timestamp",
    "frontend_payload.project_data",
    "company_data_payload",
    "company_data_payload.company_name",
    "company_data_payload.company_rep",
    "company_data_payload.project_status",
    "company_data_payload.allowed_channels",
    "company_data_payload.ai_config.openai_config.whatsapp.api_key_reference",
    "company_data_payload.ai_config.openai_config.whatsapp.assistant_id_template_sender",
    "company_data_payload.ai_config.openai_config.whatsapp.assistant",
    "company_data_payload.ai_config.openai_config.whatsapp.engine",
    "company_data_payload.channel_config.whatsapp.company_whatsapp_number",
    "company_data_payload.channel_config.whatsapp.whatsapp_credentials_id",
)
"""Where something certain must stand."""
KEY = {
    "conversation_data",
    "conversation_data.conversation_id",
    "frontend_payload.recipient_data",
    "frontend_payload.recipient_data.recipient_tel",
}
"""Where the record's key stands."""


@dataclass(frozen=True)
class Odd:
    """A body, and what is known of it by how it was made.

    Attributes:
        text: The body.
        key: The record's key, recipient and conversation, if the body tells it.
        fitness: What must become of it.
    """

    text: str
    key: tuple[str, str] | None
    fitness: Fitness


@dataclass(frozen=True)
class Edit:
    """A value put somewhere into the example."""

    path: str
    value: Text

    @property
    def fitness(self) -> Fitness:
        """What must become of the example for this value alone."""
        if self.path in STRICT:
            return min(self.value.fitness, Fitness.EITHER)
        return self.value.fitness


harmless = st.one_of(
    st.builds(Edit, st.sampled_from(FREE), fine_values),
    st.builds(Edit, st.sampled_from(FREE), fine_values),
    st.builds(Edit, st.sampled_from(FREE_TEXT), strings),
)
edits = st.one_of(
    harmless,
    st.builds(Edit, st.sampled_from(FREE), values),
    st.builds(Edit, st.sampled_from(STRICT), st.one_of(fine_values, strings, values)),
)


def edited(conversation_id: str, changes: Sequence[Edit], padding: int = 0) -> Odd:
    """The example with extreme values in it, and blanks around it up to a size in bytes."""
    document = json.loads(context(conversation_id=conversation_id))
    # A part before what stands in it, which is not put where the part is something else by now.
    in_order = sorted(changes, key=lambda edit: edit.path)
    applied = [edit for edit in in_order if _put(document, edit.path, edit)]
    text = json.dumps(document, default=_placeholder)
    for edit in applied:
        text = text.replace(json.dumps(_placeholder(edit)), edit.value.json, 1)
    fitness = min((edit.fitness for edit in applied), default=Fitness.SENT)
    if len(text) > SURELY_STORED:
        fitness = min(fitness, Fitness.EITHER)
    is_told = not any(edit.path in KEY for edit in applied)
    blanks = " " * (padding - len(text.encode("utf-8", "surrogatepass")))
    return Odd(text + blanks, (RECIPIENT, conversation_id) if is_told else None, fitness)


def _put(document: dict[str, Any], path: str, edit: Edit) -> bool:
    *parents, name = path.split(".")
    part: Any = document
    for parent in parents:
        part = part[parent]
        if not isinstance(part, dict):
            return False  # another value stands there by now
    part[name] = edit
    return True


def _placeholder(edit: Edit) -> str:
    return f"here goes {id(edit)}"


def _no_objects() -> Iterator[str]:
    whole = context()
    yield from ("", " ", "\x00", "null", "1", "-0.0", '"text"', "[]", "[[]]", "NaN", "1e400")
    yield from (whole[:-1], whole[:200], f"{whole}x", f"\ufeff{whole}", whole.replace('"', "'"))
    yield from (f"[{whole}]", whole + whole, whole.replace("{", "[", 1), "{" * 60_000, "]" * 60_000)
    yield from (f"<html>{MARK}</html>", "[" * 501 + '"' + r"\"" * 200_000)


bottoms = st.one_of(
    one_of_long(tuple(_no_objects())),
    st.text(max_size=40).map(lambda text: MARK + text),
).map(lambda text: Odd(text, None, Fitness.REFUSED))
"""Bodies that are no JSON, or no object."""


def odd_bodies(conversation_id: str) -> st.SearchStrategy[Odd]:
    """Odd bodies of that conversation, where they tell it."""

    def mixtures(parts: st.SearchStrategy[Edit]) -> st.SearchStrategy[Odd]:
        return st.builds(
            edited,
            st.just(conversation_id),
            st.lists(parts, min_size=1, max_size=4, unique_by=lambda edit: edit.path),
            st.sampled_from([0, 0, 0, LARGEST_MESSAGE]),
        )

    return st.one_of(mixtures(harmless), mixtures(edits), mixtures(harmless), bottoms)
