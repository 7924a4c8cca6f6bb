"""`unknown`: list sends of unknown outcome, and decide about each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from lambda_src.core import ConditionFailed, Status
from lambda_src.services.dynamodb import Update, items
from ops.command import (
    MASK,
    DryRun,
    OperatorError,
    Reason,
    Recipient,
    Session,
    ShowPersonalData,
    Yes,
    command,
    mask_recipient,
    mask_record,
)
from ops.conversations import ConversationRecord, age_hours
from ops.unknown_sends import Findings, UnknownSend, VendorLookup

app = typer.Typer(no_args_is_help=True, help="Sends of unknown outcome: look them up, and decide.")

ConversationId = Annotated[str, typer.Argument(help="The conversation's id.")]
Sent = Annotated[str, typer.Option("--sent", help="It was sent: the vendor's id of the message.")]
NotSent = Annotated[
    bool, typer.Option("--not-sent", help="It was not sent: release it for one new send.")
]


@dataclass(frozen=True)
class OutcomeDecision:
    """The operator's decision, if any.

    Raises:
        OperatorError: Both outcomes were given.
    """

    vendor_id: str
    is_not_sent: bool

    def __post_init__(self) -> None:
        if self.vendor_id and self.is_not_sent:
            raise OperatorError("give --sent or --not-sent, not both")

    def __bool__(self) -> bool:
        return bool(self.vendor_id) or self.is_not_sent

    @property
    def description(self) -> str:
        """The decision as text, for the question and the audit entry."""
        if self.vendor_id:
            return f"recorded as sent: {self.vendor_id}"
        return "released to retry: it was not sent"

    def update(
        self, unknown: UnknownSend, lookup: VendorLookup, findings: Findings, now: float
    ) -> Update:
        """Return the update to make; raises `OperatorError` if the facts contradict it."""
        if self.vendor_id:
            lookup.check_sent(self.vendor_id, findings)
            return unknown.mark_sent(self.vendor_id, now, has_lookup=lookup.has_status_lookup)
        findings.check_not_sent(now)
        return unknown.release(now)


@command(app, "list")
def show_list(
    session: Session,
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """List sends that need a decision, and sends in reconciliation. Reads the whole table.

    python -m ops unknown list --env prod
    """
    records = (
        record
        for status in (Status.SEND_UNKNOWN, Status.SENDING)
        for record in session.conversations.scan(conversation_status=status)
    )
    rows = [_row(record, session.clock(), show=show_personal_data) for record in records]
    session.console.result(rows)
    session.console.rows(rows, empty="no sends of unknown outcome")
    undecided = [row for row in rows if row["status"] == Status.SEND_UNKNOWN]
    session.console.steps(f"unknown resolve '{row['conversation']}'" for row in undecided)


@command(app, "resolve")
def resolve(  # noqa: PLR0917 - options, passed by name
    session: Session,
    conversation: ConversationId,
    sent: Sent = "",
    not_sent: NotSent = False,  # noqa: FBT002 - an option
    recipient: Recipient = "",
    reason: Reason = "",
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Show the record of a send and what the vendor lists; with --sent or --not-sent, decide.

    --sent is refused for another recipient's or another conversation's message; --not-sent while
    the vendor lists a message with matching content, or may not list it yet. A vendor without a
    list contradicts neither: you decide. Neither is applied if the record has changed since it was
    shown. Redrive the dead-letter message afterwards.

        python -m ops unknown resolve 'demo-company#spring-intake#req-0001'
        python -m ops unknown resolve req-0001 --sent SM00000000000000000000000000000001
        python -m ops unknown resolve req-0001 --not-sent --reason 'not in the console, 14:20'
    """
    console, decision = session.console, OutcomeDecision(sent, is_not_sent=not_sent)
    record = session.conversations.find_one(conversation, session.spellings(recipient))
    unknown = UnknownSend.from_record(record, session.channel)
    lookup = VendorLookup(session.deployment, unknown)
    if sent:
        lookup.check_id(sent)
    findings = lookup.findings()
    document = _document(unknown, findings, session.clock(), show=show_personal_data)
    _show(session, document, findings)
    if not decision:
        console.result(document)
        console.steps(_options(unknown, findings, session.clock()), "decide")
        return
    update = decision.update(unknown, lookup, findings, session.clock())
    changed = _apply(session, update, decision.description, reason, dry_run=dry_run, yes=yes)
    console.result({**document, "decision": decision.description, "changed": changed})
    console.steps([f"dlq redrive --conversation '{conversation}'"] if changed else [])


def _apply(
    session: Session, update: Update, what: str, reason: str, *, dry_run: bool, yes: bool
) -> bool:
    """Apply an update after confirmation; return False for a dry run."""
    conversation = update.key.conversation_id
    if dry_run:
        session.console.say(f"would be done: {what}")
        return False
    session.console.confirm(f"{conversation}: {what}?", yes=yes)
    try:
        session.conversations.apply(update, session.audit(reason).entry(what))
    except ConditionFailed:
        raise OperatorError(
            f"{conversation} has changed since it was shown, and nothing was changed: look again"
        ) from None
    session.console.say(f"done: {what}", "green")
    return True


def _row(record: ConversationRecord, now: float, *, show: bool) -> dict[str, object]:
    intent = record.ledger.intent if record.ledger else None
    return {
        "conversation": record.attributes["conversation_id"],
        "recipient": mask_recipient(record.attributes["primary_channel"], show=show),
        "company": record.attributes.get("company_id", ""),
        "status": record.status,
        "hours_since_send": age_hours(intent.at if intent else 0.0, now),
        "lookups": record.ledger.lookups if record.ledger else 0,
    }


def _document(
    unknown: UnknownSend, findings: Findings, now: float, *, show: bool
) -> dict[str, Any]:
    content = items.sent_content(unknown.answer)
    return {
        **_row(unknown.record, now, show=show),
        "text": content if show else MASK,
        "record": mask_record(unknown.record.attributes, show=show),
        "candidates": [
            {
                "vendor_id": found.vendor_id,
                "status": found.status,
                "created": found.accepted_at and datetime.fromtimestamp(found.accepted_at, UTC),
                "conversation": "another"
                if found.vendor_id in findings.recorded
                else "possibly this",
            }
            for found in findings.candidates
        ],
    }


def _show(session: Session, document: Mapping[str, Any], findings: Findings) -> None:
    nested = ("record", "candidates")
    session.console.heading("the record")
    session.console.fields({name: value for name, value in document.items() if name not in nested})
    session.console.heading(f"messages at {findings.vendor} with matching content")
    no_list = f"{findings.vendor} has no list of messages: you decide"
    session.console.rows(document["candidates"], empty="none" if findings.has_list else no_list)


def _options(unknown: UnknownSend, findings: Findings, now: float) -> Iterator[str]:
    name = unknown.ledger.key.conversation_id
    for vendor_id in sorted(findings.unassigned):
        yield f"it was sent: unknown resolve '{name}' --sent {vendor_id}"
    if not findings.unassigned:
        found = f"the console of {findings.vendor} shows it" if findings.has_list else "it was sent"
        yield f"{found}: unknown resolve '{name}' --sent ID"
        minutes = max(0, round((findings.not_sent_from - now) / 60))
        when = f"in {minutes} minutes" if minutes else "from now on"
        yield f"it was not sent ({when}): unknown resolve '{name}' --not-sent"
