"""What must hold of bad input, and of what is said of people."""

import json
from collections.abc import Iterator
from typing import Any

from conformance.bench import Bench, Ending, bench
from conformance.subject import Subject
from lambda_src.core.contract import Status

CANARIES = {
    "frontend_payload.company_data.api_key": "canary-of-the-routers-key",
    "frontend_payload.recipient_data.recipient_first_name": "Canarybird",
    "frontend_payload.recipient_data.recipient_last_name": "Canarysson",
    "frontend_payload.recipient_data.recipient_email": "canary@example.org",
    "frontend_payload.project_data": {"canary_field": "canary of the project"},
}
"""Personal data, and secrets, that no line may quote."""


def refuses_bad_input(subject: Subject) -> Iterator[str]:
    """What cannot be sent is refused before anybody is asked, by the name of what is wrong."""
    with bench(subject) as at_work:
        for path in _required(subject):
            what = f"a context object without {path}"
            end = at_work.end_of(_without(subject, path))
            yield from _unless_refused(at_work, end, what, path)
        for body in ("", "no JSON", "[]"):
            end = at_work.end_of(body)
            yield from _unless_refused(at_work, end, f"the body {body!r}", "body")


def sends_only_what_is_its_own(subject: Subject) -> Iterator[str]:
    """Another channel's context object, or another's secret, is refused."""
    config = f"company_data_payload.channel_config.{subject.name}"
    foreign = {
        "frontend_payload.request_data.channel_method": "another",
        "company_data_payload.allowed_channels": ["another"],
        "frontend_payload.recipient_data.comms_consent": False,
        f"{config}.{subject.name}_credentials_id": "another/prefix/credentials",
    }
    with bench(subject) as at_work:
        for path, value in foreign.items():
            end = at_work.end_of(_with(subject, path, value))
            yield from _unless_refused(at_work, end, f"a context object of another {path}", path)


def says_nothing_of_people(subject: Subject) -> Iterator[str]:
    """No line of the log quotes a person, a message or a secret, whatever happens to it."""
    with bench(subject) as at_work:
        for what, end in _told_of(at_work):
            quoted = [secret for secret in _secrets(at_work, end) if _quotes(end, secret)]
            if quoted:
                yield f"{what}: the log quotes {len(quoted)} of what it must not"


def _told_of(at_work: Bench) -> Iterator[tuple[str, Ending]]:
    body, vendor = at_work.body(_with_canaries), at_work.vendor
    yield "a message that is sent", at_work.end_of(body)
    yield (
        "a message that is refused",
        at_work.end_of(body, prepare=vendor.refuse_the_next),
    )
    yield (
        "a message that is lost",
        at_work.end_of(body, prepare=lambda: vendor.lose_the_next_answer(accepted=False)),
    )
    name = at_work.subject.name
    path = f"company_data_payload.channel_config.{name}.company_{name}_number"
    bad = json.loads(body)
    _put(bad, path, "canary: no sender")
    yield "a context object that is refused", at_work.end_of(json.dumps(bad))


def _secrets(at_work: Bench, end: Ending) -> Iterator[str]:
    field = at_work.subject.parts.addressing.recipient_field
    yield str(at_work.subject.context()["frontend_payload"]["recipient_data"][field])
    yield from (
        "Canarybird",
        "Canarysson",
        "canary@example.org",
        "canary-of",
        "canary of",
        "canary:",
    )
    yield from at_work.vendor.secret.values()
    yield from (str(message["content"]) for message in end.record.get("messages", []))


def _quotes(end: Ending, secret: str) -> bool:
    escaped = json.dumps(secret)[1:-1]
    return any(secret in line or escaped in line for line in end.lines)


def _required(subject: Subject) -> tuple[str, ...]:
    name = subject.name
    return (
        "conversation_data.conversation_id",
        f"frontend_payload.recipient_data.{subject.parts.addressing.recipient_field}",
        "frontend_payload.recipient_data.comms_consent",
        "frontend_payload.request_data.request_id",
        f"company_data_payload.ai_config.openai_config.{name}.api_key_reference",
        f"company_data_payload.channel_config.{name}.company_{name}_number",
        f"company_data_payload.channel_config.{name}.{name}_credentials_id",
    )


def _unless_refused(at_work: Bench, end: Ending, what: str, path: str) -> Iterator[str]:
    if end.accepted or at_work.openai.requests:
        yield f"{what}: a vendor is asked"
    if not end.is_dead:
        yield f"{what}: it is no dead letter"
    if end.record and end.status != Status.FAILED:
        yield f"{what}: the record says {end.status}"
    if not any(path in line for line in end.lines):
        yield f"{what}: no line of the log names {path}"


def _without(subject: Subject, path: str) -> str:
    document = subject.context()
    *parents, name = path.split(".")
    part = document
    for parent in parents:
        part = part[parent]
    del part[name]
    return json.dumps(document)


def _with(subject: Subject, path: str, value: object) -> str:
    document = subject.context()
    _put(document, path, value)
    return json.dumps(document)


def _with_canaries(document: dict[str, Any]) -> None:
    for path, value in CANARIES.items():
        _put(document, path, value)


def _put(document: dict[str, Any], path: str, value: object) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        document = document[parent]
    document[name] = value
