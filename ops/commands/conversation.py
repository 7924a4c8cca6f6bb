"""`conversation`: show one record, list many, and explain what was not delivered."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from heapq import nlargest
from operator import itemgetter
from typing import Annotated, Any

import typer

from lambda_src.core import DeliveryStatus, Status
from ops.command import (
    NextStep,
    Recipient,
    Session,
    ShowPersonalData,
    command,
    mask_recipient,
    mask_record,
)
from ops.conversations import ConversationRecord, age_hours
from ops.undelivered import FIELDS, Cause, Undelivered, by_cause

STATE = (
    "conversation_id",
    "primary_channel",
    "channel_method",
    "company_id",
    "project_id",
    "request_id",
    "conversation_status",
    "failure",
    "message_sid",
    "delivery_status",
    "delivery_error_code",
    "hand_off_to_human_reason",
    "draft_id",
    "updated_at",
    "expires_at",
)
"""The fields of a record that a screen begins with."""
EVENTS = ("created_at", "send_intent_at", "delivery_events", "operator_actions")
"""Those that are shown as what happened."""
TIMES = frozenset(
    {
        *("created_at", "updated_at", "expires_at", "delivery_updated_at", "lease_expires_at"),
        *("send_intent_at", "send_deadline", "open_since", "initial_request_timestamp"),
    }
)
"""Those that are times, as epoch seconds or in ISO 8601 form."""
SECRET_FAILURES = frozenset({"secret_missing", "secret_malformed"})

app = typer.Typer(
    no_args_is_help=True, help="Records of conversations: show one, list many, explain."
)

ConversationId = Annotated[
    str, typer.Argument(help="The conversation's id, or its first characters.")
]
Statuses = Annotated[list[Status] | None, typer.Option("--status", help="Only this status.")]
Deliveries = Annotated[
    list[DeliveryStatus] | None, typer.Option("--delivery", help="Only this delivery status.")
]
Company = Annotated[str, typer.Option("--company", help="Only this tenant.")]
OlderThan = Annotated[
    float, typer.Option("--older-than", help="Only records unchanged for this many hours.")
]
Hours = Annotated[float, typer.Option("--hours", min=0.1, help="The period of the reports.")]
EachMessage = Annotated[
    bool, typer.Option("--messages", help="List each message in addition to the causes.")
]
OnlyRecipient = Annotated[str, typer.Option("--recipient", help="Only this recipient.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Maximum number of records.")]
Skip = Annotated[int, typer.Option("--skip", min=0, help="Leave out this many records first.")]


@command(app, "show")
def show(
    session: Session,
    conversation: ConversationId,
    recipient: Recipient = "",
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """Show one conversation's record: its state, what happened in the order of time, and the rest.

    python -m ops conversation show 'demo-company#spring-intake#req-0001'
    python -m ops conversation show req-0001 --recipient +447700900123 --show-personal-data
    """
    found = session.conversations.find(conversation, session.spellings(recipient))
    documents = [mask_record(each.attributes, show=show_personal_data) for each in found]
    console = session.console
    console.result(documents)
    for document in documents:
        rest = {name: document[name] for name in sorted(document.keys() - {*STATE, *EVENTS})}
        console.heading("the conversation")
        console.fields(_readable({name: document[name] for name in STATE if name in document}))
        console.heading("what happened")
        console.rows([{"at": at, "what": what} for at, what in _story(document)])
        console.heading("its other fields")
        console.fields(_readable(rest))
    steps = (step for each in found for step in _steps(session, each))
    console.steps(dict.fromkeys(steps))


@command(app, "list")
def show_list(  # noqa: PLR0917 - options, passed by name
    session: Session,
    status: Statuses = None,
    delivery: Deliveries = None,
    company: Company = "",
    recipient: OnlyRecipient = "",
    older_than: OlderThan = 0,
    limit: Limit = 50,
    skip: Skip = 0,
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """List conversations by status, delivery, tenant, recipient and age, the latest change first.

    Reads the whole table, except with --recipient.

        python -m ops conversation list --status send_unknown --status sending
        python -m ops conversation list --delivery undelivered --delivery failed
        python -m ops conversation list --recipient +447700900123
        python -m ops conversation list --company demo-company --older-than 24 --json
    """
    now, console = session.clock(), session.console
    if recipient:
        records = session.conversations.of_recipient(session.spellings(recipient))
    else:
        records = session.conversations.scan(**({"company_id": company} if company else {}))
    total = 0

    def selected() -> Iterator[ConversationRecord]:
        nonlocal total
        for record in records:
            if (
                (not status or record.status in status)
                and (not delivery or record.attributes.get("delivery_status") in delivery)
                and (not company or record.attributes.get("company_id") == company)
                and (not older_than or record.updated_at < now - older_than * 3600)
            ):
                total += 1
                yield record

    latest = nlargest(skip + limit, selected(), key=lambda record: record.updated_at)[skip:]
    rows = [_row(record, now, show=show_personal_data) for record in latest]
    console.result(rows)
    console.rows(rows, empty="no such conversations")
    if more := total - skip - len(rows):
        last = skip + len(rows)
        console.note(f"{skip + 1} to {last} of {total}: {more} more with --skip {last}, or --limit")


@command(app, "undelivered")
def undelivered(
    session: Session,
    hours: Hours = 24,
    company: Company = "",
    each: EachMessage = False,  # noqa: FBT002 - an option
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """List the causes of messages that were accepted and not delivered, with advice for each.

    None of them is sent again. Reads the whole table.

        python -m ops conversation undelivered --env prod
        python -m ops conversation undelivered --hours 168 --company demo-company --messages
    """
    filters = {"channel_method": session.channel, **({"company_id": company} if company else {})}
    records = session.conversations.scan_fields(FIELDS, **filters)
    callbacks = session.deployment.parts.callbacks
    causes = ((record, Cause.of(record, callbacks)) for record in records)
    since, now = session.clock() - hours * 3600, session.clock()
    messages = [
        message
        for message in (Undelivered(record, cause) for record, cause in causes if cause)
        if message.at >= since
    ]
    groups = by_cause(messages)
    rows = [
        {
            "conversation": message.record["conversation_id"],
            "recipient": mask_recipient(message.record["primary_channel"], show=show_personal_data),
            "company": message.record.get("company_id", ""),
            "code": message.cause.code,
            "age_hours": age_hours(message.at, now),
        }
        for message in messages
        if each
    ]
    console = session.console
    console.result({"causes": groups, **({"messages": rows} if each else {})})
    table = [{name: group[name] for name in group if name != "advice"} for group in groups]
    console.rows(table, empty=f"no message was reported as undelivered in {hours:g} h")
    if rows:
        console.heading("messages")
        console.rows(rows)
    console.steps(dict.fromkeys(_advice(message.cause) for message in messages))


def _advice(cause: Cause) -> str:
    return f"{cause.code or 'no code'}: {cause.advice}"


def _steps(session: Session, record: ConversationRecord) -> Iterator[str | NextStep]:
    """Yield what to do about a conversation."""
    name, command_line = record.key.conversation_id, session.command_line
    failure_code = record.ledger.failure_code if record.ledger else ""
    if record.status == Status.AWAITING_APPROVAL:
        yield NextStep("its draft waits for a decision", command_line("approvals", "show", name))
    if record.status == Status.SEND_UNKNOWN:
        yield NextStep("decide what happened", command_line("unknown", "resolve", name))
    if failure_code in SECRET_FAILURES and (names := _secrets(session, record)):
        yield NextStep(failure_code, command_line("secrets", "check", *names))
    if cause := Cause.of(record.attributes, session.deployment.parts.callbacks):
        yield _advice(cause)


def _secrets(session: Session, record: ConversationRecord) -> list[str]:
    """Return the names of the channel's secrets that a record uses."""
    configs = (
        (("ai_config", "openai_config"), "api_key_reference"),
        (("channel_config",), f"{session.channel}_credentials_id"),
    )
    found: list[str] = []
    for path, name in configs:
        config: Any = record.attributes
        for part in (*path, session.channel, name):
            config = config.get(part) if isinstance(config, Mapping) else None
        if isinstance(config, str) and session.deployment.is_own_secret(config):
            found.append(config)
    return found


def _story(document: Mapping[str, Any]) -> list[tuple[datetime, str]]:
    """Return what happened to a conversation, in the order of time."""
    failure = document.get("failure")
    events: list[tuple[object, str]] = [
        (document.get("created_at"), "recorded by the processor"),
        (document.get("send_intent_at"), "the send was about to begin"),
        *((each.get("timestamp"), "sent") for each in _entries(document, "messages")),
        *((each.get("at"), _report(each)) for each in _entries(document, "delivery_events")),
        *((each.get("at"), _action(each)) for each in _entries(document, "operator_actions")),
    ]
    if isinstance(failure, Mapping):
        events.append((failure.get("at"), f"{failure.get('code')} at {failure.get('step')}"))
    if document.get("draft_id"):
        events.append((document.get("open_since"), f"draft {document['draft_id']} was held"))
    dated = ((_time(at), what) for at, what in events)
    return sorted(((at, what) for at, what in dated if at), key=itemgetter(0))


def _entries(document: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    stored = document.get(name)
    entries = stored if isinstance(stored, list | tuple) else ()
    return (each for each in entries if isinstance(each, Mapping))


def _report(entry: Mapping[str, Any]) -> str:
    code = entry.get("error_code")
    return f"reported as {entry.get('status')}" + (f" ({code})" if code else "")


def _action(entry: Mapping[str, Any]) -> str:
    what, who, why = (entry.get(name) for name in ("what", "who", "why"))
    return f"{what}, by {who}" + (f": {why}" if why else "")


def _readable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with their times as such."""
    return {
        name: _time(value) or value if name in TIMES else value for name, value in fields.items()
    }


def _time(value: object) -> datetime | None:
    """Return a stored time: epoch seconds or ISO 8601; None if it is neither, or masked."""
    try:
        if isinstance(value, Decimal):
            return datetime.fromtimestamp(float(value), UTC)
        found = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _row(record: ConversationRecord, now: float, *, show: bool) -> dict[str, Any]:
    attributes = record.attributes
    return {
        "conversation": attributes["conversation_id"],
        "recipient": mask_recipient(attributes["primary_channel"], show=show),
        "company": attributes.get("company_id", ""),
        "status": record.status,
        "failure": record.ledger.failure_code if record.ledger else "",
        "delivery": _delivery(attributes),
        "unchanged_hours": age_hours(record.updated_at, now),
    }


def _delivery(attributes: Mapping[str, Any]) -> str:
    """Return what the vendor reported of the message: `undelivered (63049)`; empty: nothing yet."""
    status, code = (attributes.get(f"delivery_{name}", "") for name in ("status", "error_code"))
    return f"{status} ({code})" if code else str(status)
