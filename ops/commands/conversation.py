"""`conversation`: show one record, list many, and explain what was not delivered."""

from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any

import typer

from lambda_src.core import DeliveryStatus, Status
from ops.command import Recipient, Session, ShowPersonalData, command, mask_recipient, mask_record
from ops.conversations import ConversationRecord, age_hours
from ops.undelivered import FIELDS, Cause, Undelivered, by_cause

app = typer.Typer(
    no_args_is_help=True, help="Records of conversations: show one, list many, explain."
)

ConversationId = Annotated[str, typer.Argument(help="The conversation's id.")]
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
Limit = Annotated[int, typer.Option("--limit", min=1, help="Maximum number of records.")]


@command(app, "show")
def show(
    session: Session,
    conversation: ConversationId,
    recipient: Recipient = "",
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """Show one conversation's record: its status, failure, delivery status and audit entries.

    python -m ops conversation show 'demo-company#spring-intake#req-0001'
    python -m ops conversation show req-0001 --recipient +447700900123 --show-personal-data
    """
    found = session.conversations.find(conversation, session.spellings(recipient))
    documents = [mask_record(each.attributes, show=show_personal_data) for each in found]
    session.console.result(documents)
    for document in documents:
        session.console.fields(dict(sorted(document.items())))
    callbacks = session.deployment.parts.callbacks
    causes = dict.fromkeys(Cause.of(each.attributes, callbacks) for each in found)
    is_held = any(each.status == Status.AWAITING_APPROVAL for each in found)
    steps = [f"approvals show '{conversation}'"] if is_held else []
    session.console.steps([*steps, *map(_advice, filter(None, causes))])


@command(app, "list")
def show_list(  # noqa: PLR0917 - options, passed by name
    session: Session,
    status: Statuses = None,
    delivery: Deliveries = None,
    company: Company = "",
    older_than: OlderThan = 0,
    limit: Limit = 50,
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """List conversations by status, delivery, tenant and age. Reads the whole table.

    python -m ops conversation list --status send_unknown --status sending
    python -m ops conversation list --delivery undelivered --delivery failed
    python -m ops conversation list --company demo-company --older-than 24 --json
    """
    now = session.clock()
    records = session.conversations.scan(**({"company_id": company} if company else {}))
    selected = (
        record
        for record in records
        if (not status or record.status in status)
        and (not delivery or record.attributes.get("delivery_status") in delivery)
        and (not older_than or record.updated_at < now - older_than * 3600)
    )
    rows = [_row(record, now, show=show_personal_data) for record in islice(selected, limit)]
    session.console.result(rows)
    session.console.rows(rows, empty="no such conversations")


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
