"""`conversation`: records, one or many, personal data masked."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import typer

from lambda_src.core.contract import Status
from ops import masking
from ops.command import Recipient, ShowPersonalData, command
from ops.desk import Desk
from ops.lookup import find
from ops.moments import changed_at, hours_since
from ops.register import Record

app = typer.Typer(no_args_is_help=True, help="Conversations' records: one, or a list of them.")

ConversationId = Annotated[str, typer.Argument(help="The conversation's id.")]
Statuses = Annotated[list[Status] | None, typer.Option("--status", help="In this state.")]
Company = Annotated[str, typer.Option("--company", help="Of this tenant.")]
OlderThan = Annotated[float, typer.Option("--older-than", help="Unchanged for so many hours.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]


@command(app, "show")
def show(
    desk: Desk,
    conversation: ConversationId,
    recipient: Recipient = "",
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """One conversation's record: its state, its failure, and what people did to it.

    python -m ops conversation show 'demo-company#spring-intake#req-0001'
    python -m ops conversation show req-0001 --recipient +447700900123 --show-personal-data
    """
    found = find(desk.register, conversation, recipient)
    documents = [masking.record(each.attributes, show=show_personal_data) for each in found]
    desk.screen.result(documents)
    for document in documents:
        desk.screen.fields(dict(sorted(document.items())))


@command(app, "list")
def show_list(  # noqa: PLR0917 - options, each by its name
    desk: Desk,
    status: Statuses = None,
    company: Company = "",
    older_than: OlderThan = 0,
    limit: Limit = 50,
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """Conversations by state, tenant and age. Reads the whole table.

    python -m ops conversation list --status send_unknown --status sending
    python -m ops conversation list --company demo-company --older-than 24 --json
    """
    before = desk.clock() - older_than * 3600
    wanted = _matching(desk.register.all(**({"company_id": company} if company else {})), status)
    old = (record for record in wanted if not older_than or changed_at(record.attributes) < before)
    rows = [_row(record, desk.clock(), show=show_personal_data) for record in islice(old, limit)]
    desk.screen.result(rows)
    desk.screen.rows(rows, nothing="no such conversations")


def _matching(records: Iterator[Record], statuses: list[Status] | None) -> Iterator[Record]:
    return (record for record in records if not statuses or record.status in statuses)


def _row(record: Record, now: float, *, show: bool) -> dict[str, Any]:
    attributes = record.attributes
    failure = record.entry.failure_code if record.entry else ""
    return {
        "conversation": attributes["conversation_id"],
        "recipient": masking.recipient(attributes["primary_channel"], show=show),
        "company": attributes.get("company_id", ""),
        "status": record.status,
        "failure": failure,
        "unchanged_hours": hours_since(changed_at(attributes), now),
    }
