"""`unknown`: sends whose outcome nobody knows, and a person's decision about each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from lambda_src.core.contract import Status
from lambda_src.services.dynamodb_update import Update
from ops import change, masking
from ops.command import DryRun, Recipient, ShowPersonalData, Why, Yes, command
from ops.desk import Desk
from ops.errors import OperatorError
from ops.inquiry import Findings, Inquiry
from ops.lookup import find_one
from ops.moments import hours_since
from ops.register import Record
from ops.unknown_send import UnknownSend, check_sid

app = typer.Typer(no_args_is_help=True, help="Sends of unknown outcome: look, and decide.")

ConversationId = Annotated[str, typer.Argument(help="The conversation's id.")]
Sent = Annotated[str, typer.Option("--sent", help="It was sent: the sid of the message.")]
NotSent = Annotated[
    bool, typer.Option("--not-sent", help="It was not sent: release it for one new send.")
]


@dataclass(frozen=True)
class Wanted:
    """What the person decided, if anything.

    Raises:
        OperatorError: Both at once, or no sid.
    """

    sid: str
    is_not_sent: bool

    def __post_init__(self) -> None:
        if self.sid and self.is_not_sent:
            raise OperatorError("--sent or --not-sent, not both")
        if self.sid:
            check_sid(self.sid)

    def __bool__(self) -> bool:
        return bool(self.sid) or self.is_not_sent

    @property
    def what(self) -> str:
        """The decision in words."""
        if self.sid:
            return f"recorded as sent: {self.sid}"
        return "released to retry: it was not sent"

    def update(
        self, unknown: UnknownSend, inquiry: Inquiry, findings: Findings, now: float
    ) -> Update:
        """The change that it means; raises `OperatorError` where it must not be made."""
        if self.sid:
            return unknown.sent(inquiry.message(self.sid), findings.taken, now)
        return unknown.not_sent(findings.free, now)


@command(app, "list")
def show_list(desk: Desk, show_personal_data: ShowPersonalData = False) -> None:  # noqa: FBT002 - an option
    """Conversations that wait for a decision, and those still being settled. Reads the whole table.

    python -m ops unknown list --env prod
    """
    open_sends = (Status.SEND_UNKNOWN, Status.SENDING)
    records = [each for status in open_sends for each in _in(desk, status)]
    rows = [_row(record, desk.clock(), show=show_personal_data) for record in records]
    desk.screen.result(rows)
    desk.screen.rows(rows, nothing="no send is open")
    waiting = [row for row in rows if row["status"] == Status.SEND_UNKNOWN]
    desk.screen.steps(f"unknown resolve '{row['conversation']}'" for row in waiting)


@command(app, "resolve")
def resolve(  # noqa: PLR0917 - options, each by its name
    desk: Desk,
    conversation: ConversationId,
    sent: Sent = "",
    not_sent: NotSent = False,  # noqa: FBT002 - an option
    recipient: Recipient = "",
    reason: Why = "",
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Show what is known of a send and what Twilio has; then, if you say so, decide.

    --sent is refused for a message of somebody else's; --not-sent while Twilio has one that reads
    like it, or may not list it yet. Both hold only while the record is as it was shown. The dead
    letter is redriven afterwards.

        python -m ops unknown resolve 'demo-company#spring-intake#req-0001'
        python -m ops unknown resolve req-0001 --sent SM00000000000000000000000000000001
        python -m ops unknown resolve req-0001 --not-sent --reason 'not in the console, 14:20'
    """
    wanted = Wanted(sent, is_not_sent=not_sent)
    record = find_one(desk.register, conversation, recipient)
    unknown = UnknownSend.of(record, desk.channel)
    inquiry = Inquiry(desk.deployment, unknown)
    findings = inquiry.findings()
    document = _document(unknown, findings, desk.clock(), show=show_personal_data)
    _show(desk, document)
    if not wanted:
        desk.screen.result(document)
        desk.screen.steps(_ways_out(unknown, findings, desk.clock()), "your decision")
        return
    update = wanted.update(unknown, inquiry, findings, desk.clock())
    changed = change.make(desk, update, wanted.what, reason=reason, dry_run=dry_run, yes=yes)
    desk.screen.result({**document, "decision": wanted.what, "changed": changed})
    desk.screen.steps([f"dlq redrive --conversation '{conversation}'"] if changed else [])


def _in(desk: Desk, status: Status) -> Iterator[Record]:
    return desk.register.all(conversation_status=status)


def _row(record: Record, now: float, *, show: bool) -> dict[str, object]:
    intent = record.entry.intent if record.entry else None
    return {
        "conversation": record.attributes["conversation_id"],
        "recipient": masking.recipient(record.attributes["primary_channel"], show=show),
        "company": record.attributes.get("company_id", ""),
        "status": record.status,
        "hours_since_the_send": hours_since(intent.at if intent else 0.0, now),
        "looks": record.entry.looks if record.entry else 0,
    }


def _document(
    unknown: UnknownSend, findings: Findings, now: float, *, show: bool
) -> dict[str, Any]:
    content = unknown.answer.content
    return {
        **_row(unknown.record, now, show=show),
        "text": content if show else masking.MASK,
        "record": masking.record(unknown.record.attributes, show=show),
        "candidates": [
            {
                "sid": found.sid,
                "twilio_status": found.status,
                "created": found.created,
                "of": "another conversation" if found.sid in findings.taken else "perhaps this one",
            }
            for found in findings.candidates
        ],
    }


def _show(desk: Desk, document: Mapping[str, Any]) -> None:
    nested = ("record", "candidates")
    desk.screen.heading("the record")
    desk.screen.fields({name: value for name, value in document.items() if name not in nested})
    desk.screen.heading("messages at Twilio that read like it")
    desk.screen.rows(document["candidates"])


def _ways_out(unknown: UnknownSend, findings: Findings, now: float) -> Iterator[str]:
    name = unknown.entry.key.conversation_id
    for sid in sorted(findings.free):
        yield f"it was sent: unknown resolve '{name}' --sent {sid}"
    if not findings.free:
        yield f"Twilio's console has it after all: unknown resolve '{name}' --sent SID"
        minutes = max(0, round((unknown.listed_by - now) / 60))
        when = f"in {minutes} minutes" if minutes else "from now on"
        yield f"it was not sent ({when}): unknown resolve '{name}' --not-sent"
