"""Context objects: their structure, their rules, what they become, and what errors reveal."""

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.core.errors import Problem, Redelivery, RejectedContext
from lambda_src.core.models import (
    AssistantDefinition,
    ContextObject,
    Engine,
    RecordKey,
    VariableRule,
)
from lambda_src.core.ports import AddressFormat, Addressing
from lambda_src.utils.context_processor import ContextParser
from tests.support import contexts
from tests.support.contexts import body, changed, complete, parse, parser, valid, without

KEY = RecordKey(contexts.RECIPIENT, contexts.CONVERSATION)
FRONT, COMPANY = "frontend_payload", "company_data_payload"
CONVERSATION = "conversation_data.conversation_id"
RECIPIENT = f"{FRONT}.recipient_data.recipient_tel"
EMAIL = f"{FRONT}.recipient_data.recipient_email"
CONSENT = f"{FRONT}.recipient_data.comms_consent"
REQUEST = f"{FRONT}.request_data.request_id"
METHOD = f"{FRONT}.request_data.channel_method"
REQUESTED_AT = f"{FRONT}.request_data.initial_request_timestamp"
PROJECT = f"{FRONT}.project_data"
STATUS = f"{COMPANY}.project_status"
ALLOWED = f"{COMPANY}.allowed_channels"
OPENAI = f"{COMPANY}.ai_config.openai_config.whatsapp"
KEY_REFERENCE = f"{OPENAI}.api_key_reference"
ASSISTANT = f"{OPENAI}.assistant"
TOKENS = f"{ASSISTANT}.max_output_tokens"
VARIABLES = f"{ASSISTANT}.variables"
CHANNEL = f"{COMPANY}.channel_config.whatsapp"
GUIDANCE = f"{COMPANY}.message_guidance"
REVIEW = f"{COMPANY}.auto_queue_initial_message"
SENDER = f"{CHANNEL}.company_whatsapp_number"
CREDENTIALS = f"{CHANNEL}.whatsapp_credentials_id"
IDS = [
    REQUEST,
    f"{FRONT}.company_data.company_id",
    f"{FRONT}.company_data.project_id",
    f"{COMPANY}.company_id",
    f"{COMPANY}.project_id",
]
REQUIRED = [
    "metadata", "conversation_data", CONVERSATION, FRONT, f"{FRONT}.company_data",
    f"{FRONT}.recipient_data", RECIPIENT, CONSENT, f"{FRONT}.request_data", METHOD, COMPANY,
    *IDS, f"{COMPANY}.company_name", f"{COMPANY}.project_name", STATUS, ALLOWED,
    f"{COMPANY}.ai_config", f"{COMPANY}.ai_config.openai_config", OPENAI,
    f"{OPENAI}.api_key_reference", f"{OPENAI}.assistant_id_template_sender",
    f"{COMPANY}.channel_config", CHANNEL, SENDER, CREDENTIALS,
]  # fmt: skip


def _rejected(text: str, parse_body: ContextParser = parser) -> RejectedContext:
    with pytest.raises(RejectedContext) as raised:
        parse_body(text)
    return raised.value


def _rejection(document: object) -> RejectedContext:
    return _rejected(body(document))


def problems(document: object) -> dict[str, str]:
    """Return the kind of value that was found, by the field's path."""
    return {problem.field: problem.found for problem in _rejection(document).problems}


def with_project_text(text: str) -> str:
    """Return a body whose project data is `{"x": …}` with that JSON text."""
    return body(changed(PROJECT, {"x": "here"})).replace('"here"', text)


def nested(levels: int) -> dict[str, Any]:
    """Return objects in each other, that many levels deep."""
    document: dict[str, Any] = {}
    for _ in range(levels):
        document = {"deeper": document}
    return document


# --- structure

NOT_JSON = "body_not_json at parse: body: expected "
SYNTAX = f"{NOT_JSON}JSON text, without NaN and infinities, found other text"
DIGITS = f"{NOT_JSON}numbers of at most 4,300 digits, found a longer one"
DECIMALS = f"{NOT_JSON}numbers that decimal arithmetic can represent, found another"
HALVES = f"{NOT_JSON}complete Unicode characters, found half of a surrogate pair"
NAMES = "body_ambiguous at parse: body: expected each name once in an object, found a name twice"
MARK = "canary!"
LEVELS = "context_invalid at parse: body: expected at most 200 levels of nesting, found more"
OBJECT = "body_not_object at parse: body: expected an object, found "


def with_twice(once: str, first: str) -> str:
    """Return a body in which a name precedes itself with another value."""
    return body(valid()).replace(once, f"{first}, {once}")


@pytest.mark.parametrize(
    ("text", "expected", "key"),
    [
        *((text, SYNTAX, None) for text in ("", " ", "hello", "{", '{"a": NaN}', "]" * 100_000)),
        *((text, SYNTAX, None) for text in ("\ufeff{}", MARK, f'{{"a": "{MARK}')),
        ("[]", f"{OBJECT}an array", None), (f'["{MARK}"]', f"{OBJECT}an array", None),
        (f'"{MARK}"', f"{OBJECT}a string", None), ("7", f"{OBJECT}a number", None),
        ("null", f"{OBJECT}null", None), ("true", f"{OBJECT}true", None),
        # Python writes and reads these, although they are not JSON.
        *((with_project_text(x), SYNTAX, KEY) for x in ("NaN", "Infinity", "-Infinity")),
        *((with_project_text(x), DIGITS, KEY) for x in ("9" * 4301, "-" + "9" * 5000)),
        *((with_project_text(f"{x}e99999999999999999999"), DECIMALS, KEY) for x in (0, 1)),
        *((with_project_text(x), HALVES, KEY) for x in (r'"\ud83c"', r'"a\uDF82b"')),
        (json.dumps(changed(RECIPIENT, "\ud83c"), ensure_ascii=False), HALVES, None),
        # JSON readers differ in which value of a repeated name they take.
        (with_twice('"metadata": {}', '"metadata": 1'), NAMES, KEY),
        (with_twice('"comms_consent": true', '"comms_consent": false'), NAMES, KEY),
        (with_twice('"conversation_id"', '"conversation_id": "another"'), NAMES, None),
        (body(changed(PROJECT, nested(250))), LEVELS, KEY),
        (with_project_text("[" * 100_000 + "]" * 100_000), LEVELS, None),
        (with_project_text("[" * 100_000), LEVELS, None),
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_an_unreadable_body_is_rejected(text: str, expected: str, key: RecordKey | None) -> None:
    """The error says why without quoting, and has the key if the message is certainly its own."""
    error = _rejected(text)
    assert (expected, key) == (str(error), error.key)
    assert key is None or "request-1" == error.request_id
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize("path", REQUIRED)
def test_required_fields_are_checked(path: str) -> None:
    """A missing, empty or wrongly typed field is named by its path, and nothing is coerced."""
    assert {path: "nothing"} == problems(without(path))
    assert {path: "an empty string"} == problems(changed(path, ""))
    wrong: dict[str, object] = {"null": None, "a number": 7, "true": True}
    for found, value in ({"an array": []} if path == CONSENT else wrong).items():
        assert {path: found} == problems(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("metadata", [], "expected an object, found an array"),
        (PROJECT, 1.5, "expected an object, found a number"),
        (ALLOWED, {}, "expected an array, found an object"),
        (CONVERSATION, 7, "expected a string, found a number"),
        (CONVERSATION, " ", "expected a non-empty string, found a string"),
        (f"{OPENAI}.engine", "x", "expected 'responses' or 'assistants', found a string"),
        (
            f"{OPENAI}.assistant_id_template_sender",
            "../secrets",
            "expected 1 to 128 letters of ASCII, digits, hyphens and underscores, found a string",
        ),
        (REQUESTED_AT, "yesterday", "expected a time in ISO 8601 form, found a string"),
        (TOKENS, "5", "expected a whole number of at least 16, found a string"),
        (TOKENS, 0, "expected a whole number of at least 16, found a number"),
        (GUIDANCE, "x" * 2001, "expected a string of at most 2,000 characters, found a string"),
        (GUIDANCE, 1, "expected a string, found a number"),
        (REVIEW, "yes", "expected a valid boolean, found a string"),
        (f"{REVIEW}_from_number", "+1", "expected an array, found a string"),
    ],
)
def test_a_problem_has_field_expectation_and_kind(path: str, value: object, expected: str) -> None:
    """It reads as a sentence."""
    error = _rejection(changed(path, value, complete()))
    assert f"context_invalid at parse: {path}: {expected}" == str(error)


def test_one_error_lists_all_problems() -> None:
    """Whoever corrects a context object sees everything at once; it is not attempted again."""
    document = without("metadata")
    document["conversation_data"]["conversation_id"] = ""
    document[FRONT]["request_data"]["request_id"] = 7
    del document[COMPANY]["ai_config"]
    error = _rejection(document)
    assert ("context_invalid", Redelivery.AT_ONCE) == (error.code, error.redelivery)
    expected = {
        "metadata": "nothing",
        CONVERSATION: "an empty string",
        REQUEST: "a number",
        f"{COMPANY}.ai_config": "nothing",
    }
    assert expected == {problem.field: problem.found for problem in error.problems}
    assert all(field in str(error) for field in expected)
    assert dict.fromkeys([p for p in REQUIRED if "." not in p], "nothing") == problems({})


@pytest.mark.parametrize(
    ("document", "key", "request_id"),
    [
        (without(COMPANY), KEY, "request-1"), (without("metadata"), KEY, "request-1"),
        (changed(RECIPIENT, "0155-5"), replace(KEY, primary_channel="0155-5"), "request-1"),
        (changed(RECIPIENT, 15550100123), None, "request-1"),
        (changed(CONVERSATION, ""), None, "request-1"),
        (changed(CONVERSATION, "c" * 1025), None, "request-1"),
        (changed("conversation_data", "text"), None, "request-1"),
        (changed(FRONT, None), None, None),
        (changed("metadata", 7, changed(REQUEST, "r" * 256)), KEY, "r" * 256),
        (changed(REQUEST, "r" * 257), KEY, None), (changed(REQUEST, "r" * 500_000), KEY, None),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value)[:20],
)  # fmt: skip
def test_the_error_has_the_ids_that_are_usable(
    document: dict[str, Any], key: RecordKey | None, request_id: str | None
) -> None:
    """Number and conversation suffice, also in another form; no key or request is invented."""
    error = _rejection(document)
    assert (key, request_id) == (error.key, error.request_id)


# --- rules


@pytest.mark.parametrize("path", [RECIPIENT, SENDER])
@pytest.mark.parametrize(
    "number",
    [
        "15550100123", "+05550100123", "+1", "+1555010012345678", "+1 555 010 0123",
        "+1-555-010-0123", "whatsapp:+15550100123", "+15550100123\n", "+١٥٥٥٠١٠٠١٢٣",
    ],
)  # fmt: skip
def test_phone_numbers_are_e164(path: str, number: str) -> None:
    """A plus, no leading zero, 2 to 15 ASCII digits, and nothing else."""
    error = _rejection(changed(path, number))
    assert ("phone_not_e164", path) == (error.code, error.problems[0].field)


@pytest.mark.parametrize("number", ["+12", "+15550100123", "+447700900123", "+123456789012345"])
def test_e164_numbers_of_any_length_are_valid(number: str) -> None:
    """From 2 to 15 digits."""
    assert number == parse(changed(RECIPIENT, number)).recipient


@pytest.mark.parametrize(
    ("path", "values", "code"),
    [
        (CONSENT, [False, "true", "yes", 1, None, [], {"given": True}], "consent_not_given"),
        (METHOD, ["sms", "email", "WhatsApp", "whatsapp "], "wrong_channel"),
        (STATUS, ["inactive", "paused", "Active", "active "], "project_not_active"),
        (ALLOWED, [[], ["sms"], ["whatsapp_business"], ["WhatsApp"]], "channel_not_allowed"),
        (KEY_REFERENCE, ["ai-multi-comms/dev/sms-credentials/harbour"], "secret_reference_refused"),
        (CREDENTIALS, ["ai-multi-comms/dev/sms-credentials/harbour"], "secret_reference_refused"),
    ],
)
def test_each_rule_has_its_own_code(path: str, values: list[object], code: str) -> None:
    """Consent is the JSON value true; channel, project and secrets must be the channel's own."""
    for value in values:
        error = _rejection(changed(path, value))
        assert (code, path) == (error.code, error.problems[0].field)


def test_the_code_of_several_problems() -> None:
    """The wrong channel explains all others; different problems have the general code."""
    error = _rejection(without(CHANNEL, changed(METHOD, "sms")))
    assert ("wrong_channel", 2) == (error.code, len(error.problems))
    error = _rejection(changed(STATUS, "paused", changed(CONSENT, False)))
    assert "context_invalid" == error.code
    assert {"consent_not_given", "project_not_active"} == {p.code for p in error.problems}


MAIL = AddressFormat(
    "mail_malformed", r"[^@\s]+@[^@\s]+", "an e-mail address", canonical=str.casefold
)
parse_mail = ContextParser(
    "whatsapp",
    lambda _: True,
    Addressing(sender=MAIL, recipient_field="recipient_email", recipient=MAIL),
    has_credentials=False,
    max_conversation_id_bytes=190,
)


def test_an_address_of_another_format_is_rejected_in_the_channels_words() -> None:
    """The problem names the channel's field and format; without its address there is no other."""
    error = _rejected(
        body(changed(EMAIL, "amara", changed(SENDER, "jobs@example.org"))), parse_mail
    )
    expected = f"mail_malformed at parse: {EMAIL}: expected an e-mail address, found a string"
    assert (expected, replace(KEY, primary_channel="amara")) == (str(error), error.key)
    error = _rejected(body(changed(SENDER, "jobs@example.org")), parse_mail)
    assert [EMAIL] == [problem.field for problem in error.problems]
    document = changed(EMAIL, "Amara@example.org", changed(CONVERSATION, "ä" * 96))
    error = _rejected(body(changed(SENDER, "jobs@example.org", document)), parse_mail)
    assert f"context_invalid at parse: {CONVERSATION}: expected a string of at most 190 bytes" in (
        str(error)
    )
    assert RecordKey("amara@example.org", "ä" * 96) == error.key


# --- content


def test_required_fields_are_enough() -> None:
    """The default engine answers, by the definition of the id."""
    context = parse(valid())
    assert (KEY, "request-1", None) == (context.key, context.request_id, context.requested_at)
    assert (Engine.RESPONSES, None) == (context.engine, context.assistant)


def test_a_context_object_is_complete_and_constant() -> None:
    """The AI reads no address; the record has the documented fields at its top level, no others."""
    document = changed("added_later", {"deep": [1]}, complete())
    document = changed(f"{COMPANY}.internal_note", "secret", document)
    document = changed(f"{COMPANY}.channel_config.sms", {"company_sms_number": "+1"}, document)
    named = {
        "company_name": "Harbour Logistics",
        "project_name": "Spring Intake",
        "company_rep": {"name": "Tom Reed", "role": "Recruiter"},
        "recipient_first_name": "Amara",
        "recipient_last_name": "Okafor",
        "project_data": {"job": {"title": "Operative", "hourly_rate": 12.85}},
    }
    expected = ContextObject(
        key=KEY,
        channel="whatsapp",
        request_id="request-1",
        sender=contexts.SENDER,
        recipient=contexts.RECIPIENT,
        credentials_reference=contexts.TWILIO_SECRET,
        api_key_reference=contexts.OPENAI_SECRET,
        assistant_id="first_contact",
        engine=Engine.ASSISTANTS,
        assistant=AssistantDefinition(
            model="model-of-the-day",
            instructions="Write a greeting.",
            variables={"1": VariableRule("The first name.", 40)},
            max_output_tokens=500,
        ),
        prompt_context=named,
        tenant="harbour",
        company_name="Harbour Logistics",
        channel_config=document[COMPANY]["channel_config"][contexts.CHANNEL],
        attributes=named
        | {
            "company_id": "harbour",
            "project_id": "spring",
            "project_status": "active",
            "allowed_channels": ["sms", "whatsapp"],
            "auto_queue_start": "08:00",
            "auto_queue_windows": [{"from": 8, "to": 18.5}],
            "rate_limits": {"per_minute": 20},
            "ai_config": document[COMPANY]["ai_config"],
            "channel_config": document[COMPANY]["channel_config"],
            "recipient_tel": contexts.RECIPIENT,
            "recipient_email": "amara@example.org",
            "comms_consent": True,
            "request_id": "request-1",
            "channel_method": "whatsapp",
            "initial_request_timestamp": "2026-11-22T09:00:00Z",
            "router_version": "2.4.0",
        },
        requested_at=datetime(2026, 11, 22, 9, tzinfo=UTC).timestamp(),
    )
    context = parse(document)
    assert expected == context
    assert "router-key-1" not in repr(context)
    with pytest.raises(FrozenInstanceError):
        context.recipient = "+15550100999"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "lists", "expected"),
    [
        (True, {}, True),
        (True, {"from_number": []}, True),
        (True, {"from_number": ["+44 (7700) 900-001"]}, True),
        (True, {"from_number": ["+15550100002"]}, False),
        (True, {"from_email": ["a@example.com"]}, True),
        (False, {"from_number": [contexts.SENDER]}, False),
        (None, {}, False),
    ],
)
def test_a_review_is_asked_for_by_the_context_object(
    value: object, lists: dict[str, list[str]], expected: bool
) -> None:
    """For every first message, or for those of the listed numbers, however they are typed."""
    document = changed(REVIEW, value)
    for name, senders in lists.items():
        changed(f"{REVIEW}_{name}", senders, document)
    assert expected is parse(document).needs_review


def test_a_null_is_no_value() -> None:
    """Neither the prompt context nor the record has it."""
    document = complete()
    for path in ("metadata.router_version", f"{FRONT}.recipient_data.recipient_first_name"):
        changed(path, None, document)
    context = parse(document)
    assert "recipient_first_name" not in context.prompt_context
    assert not {"router_version", "recipient_first_name"} & set(context.attributes)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e400", "1E+400"), ("-1e400", "-1E+400"), ("1e-400", "1E-400"),
        ("12345678901234567890", 12345678901234567890), ("9" * 4300, int("9" * 4300)),
        (f"0.{'1234567890' * 4}", f"0.{'1234567890' * 4}"), ("-0.0", 0.0),
        ("1.00000000000000000001", "1.00000000000000000001"), ("12.850", 12.85),
        ("0.30000000000000004", 0.30000000000000004), ("5e-324", 5e-324), ("2e-324", "2E-324"),
        (r'"\ud83c\udf82"', "🎂"), ('"👩‍🚀 grüßt"', "👩‍🚀 grüßt"),
        ('"' + r"[{\"\\" * 1000 + '"', '[{"\\' * 1000),
    ],
)  # fmt: skip
def test_unusual_values_are_exact(text: str, expected: object) -> None:
    """A number that a float does not represent is kept as text; brackets in text do not nest."""
    assert expected == parser(with_project_text(text)).prompt_context["project_data"]["x"]


@pytest.mark.parametrize("unit", [r"\"", '"', "\\\\", r"\u005c\"", '"[', '["{'])
def test_unterminated_text_is_read_once(unit: str) -> None:
    """Not once for each of its quotes, which would take hours."""
    _rejected("[" * 501 + '"' + unit * (400_000 // len(unit)))


# --- sizes


@pytest.mark.parametrize(
    ("count", "end"), [(20, "field_19"), (21, "and 1 more"), (99, "and 79 more")]
)
def test_an_error_lists_twenty_problems(count: int, end: str) -> None:
    """The text has the first twenty and the number of the others; the error has them all."""
    found = [Problem("context_invalid", f"field_{n}", "a string", "a number") for n in range(count)]
    error = RejectedContext("context_invalid", found)
    assert end in error.detail.rpartition("; ")[2]
    assert min(count, 20) == error.detail.count("expected a string, found a number")
    assert count == len(error.problems)


def unnamed(count: int) -> dict[str, Any]:
    """Return variables without descriptions, with names as long as names may be."""
    return {f"{number:x>64}": {} for number in range(count)}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (ALLOWED, [1] * 100_000), (VARIABLES, unnamed(100)), (VARIABLES, unnamed(5_000)),
        (CONVERSATION, "c" * 500_000), (REQUEST, "r" * 500_000), (STATUS, "p" * 500_000),
        (CREDENTIALS, "s" * 500_000),
    ],
)  # fmt: skip
def test_an_error_is_small_and_cheap(path: str, value: object) -> None:
    """A large body makes no large log line or record, and does not exhaust the memory."""
    text = body(changed(path, value, complete()))
    tracemalloc.start()
    try:
        error = _rejected(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(str(error)) < 4_000
    assert peak < 50 * len(text)


@pytest.mark.parametrize("path", IDS)
def test_ids_have_at_most_256_bytes(path: str) -> None:
    """Whatever their characters, since they are logged."""
    assert parse(changed(path, "é" * 128))
    error = _rejection(changed(path, "é" * 128 + "x"))
    assert f"{path}: expected a string of at most 256 bytes, found a string" == error.detail


def test_a_conversation_id_fits_the_sort_key() -> None:
    """DynamoDB allows 1,024 bytes."""
    assert "é" * 512 == parse(changed(CONVERSATION, "é" * 512)).key.conversation_id
    assert {CONVERSATION: "a string"} == problems(changed(CONVERSATION, "é" * 513))


# --- errors contain no values

FIXED = {"whatsapp", "active", "assistants"}
"""Strings that a valid context object must have."""


def planted(value: Any) -> Any:
    """Return the same JSON with a mark in every string that may be any text."""
    match value:
        case dict():
            return {name: planted(part) for name, part in value.items()}
        case list():
            return [planted(part) for part in value]
        case str() if value not in FIXED:
            return f"{MARK} {value}"
    return value


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of everything in an object that is not in an array."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"{prefix}{name}"
            yield from paths(part, f"{prefix}{name}.")


wrong_values = st.one_of(
    st.just(MARK),
    st.just([MARK]),
    st.just({MARK: MARK}),
    st.just({f"{MARK} {{expected}}": {"description": MARK}}),
    st.text(max_size=5).map(lambda text: MARK + text),
    st.integers(),
    st.none(),
)


def _errors_of(document: object) -> list[RejectedContext]:
    try:
        parse(document)
    except RejectedContext as error:
        return [error]
    return []


@settings(max_examples=200)
@given(
    breakages=st.dictionaries(st.sampled_from(list(paths(complete()))), wrong_values, min_size=1),
    is_planted=st.booleans(),
)
def test_no_value_gets_into_an_error(breakages: dict[str, object], is_planted: bool) -> None:
    """However a context object is broken, its error contains none of its values."""
    document = planted(complete()) if is_planted else complete()
    for path, value in breakages.items():
        with suppress(TypeError, KeyError):  # its parent is broken already
            changed(path, json.loads(json.dumps(value)), document)
    for error in _errors_of(document):
        texts = [str(error), repr(error), error.detail, error.code, error.event, *error.args]
        assert not [text for text in texts if MARK in text]
        assert not [problem for problem in error.problems if MARK in repr(problem)]
        assert error.__cause__ is None
        assert error.__suppress_context__


@pytest.mark.parametrize(
    "name",
    ["Amara_Okafor", "447700900123", f"{MARK} Amara", f"{MARK}@example.org", MARK * 11, "🎂"],
)
def test_names_from_the_message_are_not_quoted(name: str) -> None:
    """A variable's name may be personal data as well."""
    error = _rejection(changed(VARIABLES, {name: {"description": "", "max_length": 0}}, complete()))
    expected = {f"{VARIABLES}.?.description", f"{VARIABLES}.?.max_length"}
    assert expected == {p.field for p in error.problems} - {f"{VARIABLES}.?"}
    assert name not in str(error)
