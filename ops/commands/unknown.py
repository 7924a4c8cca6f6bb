"""`unknown`: list sends of unknown outcome, and decide about each."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from lambda_src.core import ConditionFailed, ProcessingError, Status
from lambda_src.services.dynamodb import Update, items
from ops.audit import AuditContext
from ops.command import (
    MASK,
    DryRun,
    NextStep,
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
from ops.console import duration
from ops.conversations import ConversationRecord, age_hours
from ops.unknown_sends import Findings, UnknownSend, VendorLookup

app = typer.Typer(no_args_is_help=True, help="Sends of unknown outcome: look them up, and decide.")

ConversationId = Annotated[
    str, typer.Argument(help="The conversation's id, or its first characters.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not ask the vendor.")]
Sent = Annotated[str, typer.Option("--sent", help="It was sent: the vendor's id of the message.")]
NotSent = Annotated[
    bool, typer.Option("--not-sent", help="It was not sent: release it for one new send.")
]


MAX_STEPS = 5
"""How many conversations have a suggested command each."""
WORKERS = 10


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
            lookup.check_sent(unknown, self.vendor_id, findings)
            return unknown.mark_sent(self.vendor_id, now, has_lookup=lookup.has_status_lookup)
        findings.check_not_sent(now)
        return unknown.release(now)


@command(app, "list")
def show_list(
    session: Session,
    offline: Offline = False,  # noqa: FBT002 - an option
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """List sends that need a decision, with what the vendor lists by now, and those in progress.

    Reads the whole table, and makes a few requests to the vendor for each send.

        python -m ops unknown list --env prod
        python -m ops unknown list --offline
    """
    console, now = session.console, session.clock()
    sending = [
        _row(record, now, show=show_personal_data)
        for record in session.conversations.scan(conversation_status=Status.SENDING)
        if record.ledger and record.ledger.may_be_on(session.channel)
    ]
    looked_up = list(_look_up_all(session, is_offline=offline))
    undecided = [
        {
            **_row(each.unknown.record, now, show=show_personal_data),
            "vendor_lists": each.vendor_lists,
        }
        for each in looked_up
    ]
    rows = [*undecided, *({**row, "vendor_lists": ""} for row in sending)]
    console.result(rows)
    console.rows(rows, empty="no sends of unknown outcome")
    certain = sum(bool(each.certain) for each in looked_up)
    if certain:
        text = f"the vendor lists exactly one message for {certain} of them: record these as sent"
        console.steps([NextStep(text, session.command_line("unknown", "resolve-listed"))])
    others = [each.unknown.ledger.key.conversation_id for each in looked_up if not each.certain]
    console.steps(
        (
            NextStep("", session.command_line("unknown", "resolve", name))
            for name in others[:MAX_STEPS]
        ),
        "decide one by one",
    )
    if len(others) > MAX_STEPS:
        console.say(f"and {len(others) - MAX_STEPS} more")


@command(app, "resolve-listed")
def resolve_listed(
    session: Session,
    reason: Reason = "",
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Record as sent every unknown send whose message the vendor lists by now.

    Only what is certain is recorded, by the rule of the processor's own lookups: one listed message
    with matching content, which no other conversation may have sent. All others need a decision of
    their own (unknown resolve). Nothing is sent or released. The command can be interrupted and
    repeated, and two operators may run it. Exit code 1 means that a send could not be looked up or
    recorded, or that none is certain.

        python -m ops unknown resolve-listed --dry-run
        python -m ops unknown resolve-listed --reason 'after the outage of Tuesday'
    """
    console, now = session.console, session.clock()
    looked_up = list(_look_up_all(session))
    certain = [each for each in looked_up if each.certain]
    document = {
        "certain": [
            {
                **_row(each.unknown.record, now, show=show_personal_data),
                "vendor_id": each.certain,
            }
            for each in certain
        ],
        "undecided": len(looked_up) - len(certain),
    }
    console.rows(document["certain"], empty="no unknown send is certain")  # type: ignore[arg-type]  # its rows
    if not certain or dry_run:
        console.result({**document, "recorded": [], "changed": False})
        if certain:
            console.say(f"would be recorded as sent: {len(certain)}")
        if looked_up and not certain:
            console.error(f"nothing was recorded: {len(looked_up)} sends need a decision each")
            raise typer.Exit(1)
        return
    console.confirm(f"Record {len(certain)} conversations as sent?", yes=yes)
    audit, lookup = session.audit(reason), VendorLookup(session.deployment)
    left: dict[str, str] = {}
    recorded: list[str] = []
    try:
        with console.progress() as progress:
            for each in progress.track(certain, description="recorded"):
                name = each.unknown.ledger.key.conversation_id
                if problem := _record_listed(session, lookup, each, audit):
                    left[name] = problem
                else:
                    recorded.append(name)
    finally:  # also after Ctrl-C
        changed = bool(recorded)
        console.result({**document, "recorded": recorded, "left": left, "changed": changed})
        console.say(f"recorded as sent: {len(recorded)}", "green")
        for name, problem in left.items():
            console.say(f"{name}: {problem}")
    text = "their dead-letter messages are only removed"
    redrive = session.command_line("dlq", "redrive", "--cause", Status.SENT)
    console.steps([NextStep(text, redrive)] if recorded else [])
    if left or any(each.problem for each in looked_up):
        raise typer.Exit(1)


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
    record = session.conversation(conversation, recipient, is_whole=yes)
    unknown = UnknownSend.from_record(record, session.channel)
    lookup = VendorLookup(session.deployment)
    if sent:
        lookup.check_id(sent)
    findings = lookup.findings(unknown)
    key = unknown.ledger.key
    is_erased = session.suppressions.was_erased(key.primary_channel, unknown.ledger.created_at)
    document = _document(unknown, findings, session.clock(), show=show_personal_data)
    _show(session, document, findings)
    if not decision:
        console.result(document)
        console.steps(_options(session, unknown, findings), "decide")
        return
    update = decision.update(unknown, lookup, findings, session.clock())
    changed = _apply(session, update, decision.description, reason, dry_run=dry_run, yes=yes)
    console.result({**document, "decision": decision.description, "changed": changed})
    if is_erased:
        person = key.primary_channel if show_personal_data else "NUMBER"
        erase = session.command_line("erase", "--recipient", person, "--reason", reason)
        text = "the recipient was erased, except for this send: erase them again"
        console.steps([NextStep(text, erase)])
    elif changed:
        redrive = session.command_line("dlq", "redrive", "--conversation", key.conversation_id)
        console.steps([NextStep("", redrive)])


@dataclass(frozen=True)
class LookedUp:
    """An unknown send, and what the vendor lists for it.

    Attributes:
        unknown: The send.
        findings: What was found; None: the vendor was not asked, or did not answer.
        problem: Why it did not.
    """

    unknown: UnknownSend
    findings: Findings | None = None
    problem: str = ""

    @property
    def certain(self) -> str:
        """The vendor's id of the message, if it is certain."""
        return self.findings.certain if self.findings else ""

    @property
    def vendor_lists(self) -> str:
        """What the vendor lists, in words."""
        if self.findings is None or self.certain:
            return self.certain or self.problem
        if not self.findings.has_list:
            return "no list"
        number = len(self.findings.unassigned)
        return f"{number} that may be it" if number else "nothing"


def _look_up_all(session: Session, *, is_offline: bool = False) -> Iterator[LookedUp]:
    """Look up every unknown send of the channel, several at a time."""
    unknown = [
        UnknownSend.from_record(record, session.channel)
        for record in session.conversations.scan(conversation_status=Status.SEND_UNKNOWN)
        if record.ledger and record.ledger.may_be_on(session.channel)
    ]
    if is_offline or not unknown:
        yield from map(LookedUp, unknown)
        return
    lookup = VendorLookup(session.deployment)

    def look_up(each: UnknownSend) -> LookedUp:
        try:
            return LookedUp(each, lookup.findings(each))
        except (ProcessingError, OperatorError) as error:
            return LookedUp(each, problem=str(error))

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="lookup") as pool:
        yield from pool.map(look_up, unknown)


def _record_listed(
    session: Session, lookup: VendorLookup, each: LookedUp, audit: AuditContext
) -> str:
    """Record a send as sent; return why it was left, empty if it was recorded."""
    unknown, findings = each.unknown, each.findings
    if findings is None or not lookup.is_still_certain(unknown, findings):
        return "another conversation has changed: look again"
    has_lookup = lookup.has_status_lookup
    update = unknown.mark_sent(findings.certain, audit.at, has_lookup=has_lookup)
    entry = audit.entry(OutcomeDecision(findings.certain, is_not_sent=False).description)
    try:
        session.conversations.apply(update, entry)
    except ConditionFailed as failed:
        # Another operator recorded the same, or the SDK repeated a write whose answer was lost.
        if failed.record is None or failed.record.vendor_id != findings.certain:
            return "it has changed since it was shown: look again"
    return ""


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


def _options(session: Session, unknown: UnknownSend, findings: Findings) -> Iterator[NextStep]:
    call = ("unknown", "resolve", unknown.ledger.key.conversation_id)
    for vendor_id in sorted(findings.unassigned):
        yield NextStep("it was sent", session.command_line(*call, "--sent", vendor_id))
    if not findings.unassigned:
        found = f"the console of {findings.vendor} shows it" if findings.has_list else "it was sent"
        yield NextStep(f"{found}, with its ID", session.command_line(*call, "--sent", "ID"))
        wait = findings.not_sent_from - session.clock()
        when = f"in {duration(wait)}" if wait > 0 else "from now on"
        yield NextStep(f"it was not sent ({when})", session.command_line(*call, "--not-sent"))
