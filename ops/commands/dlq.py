"""`dlq`: list dead-letter messages with their causes, redrive them, or discard them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from ops.command import (
    DryRun,
    NextStep,
    OperatorError,
    Reason,
    Session,
    ShowPersonalData,
    Yes,
    command,
    require_reason,
)
from ops.conversations import ambiguous
from ops.dlq import report
from ops.dlq.actions import Discard, Redrive
from ops.dlq.inspection import Filter, Inspection
from ops.dlq.runner import RateLimiter, Runner

app = typer.Typer(
    no_args_is_help=True, help="Dead-letter messages: see the causes, redrive, or discard."
)

Many = list[str] | None
Causes = Annotated[
    Many, typer.Option("--cause", help="Only messages with this cause, as `dlq list` names it.")
]
Companies = Annotated[Many, typer.Option("--company", help="Only messages of this tenant.")]
Conversations = Annotated[
    Many, typer.Option("--conversation", help="Only messages of this conversation.")
]
MessageIds = Annotated[Many, typer.Option("--message", help="Only the message with this id.")]
FixedCauses = Annotated[
    Many,
    typer.Option(
        "--fixed-cause",
        help="Also release messages that failed with this cause, because it is fixed.",
    ),
]
Rate = Annotated[
    float,
    typer.Option("--rate", min=0.1, help="Messages per second, which limits vendor requests."),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Maximum number of messages; for a trial run.")
]
NoTrial = Annotated[
    bool,
    typer.Option(
        "--no-trial", help="Do not wait for the outcome of the first messages with each cause."
    ),
]
EachMessage = Annotated[
    bool, typer.Option("--messages", help="List each message in addition to the causes.")
]
Events = Annotated[
    bool, typer.Option("--events", help="The dead-letter queue of the delivery events instead.")
]
MessageId = Annotated[
    str, typer.Argument(help="The id of a message or of its conversation, or its first characters.")
]


@command(app, "list")
def show_list(
    session: Session,
    each: EachMessage = False,  # noqa: FBT002 - an option
    events: Events = False,  # noqa: FBT002 - an option
) -> None:
    """List the causes of dead-letter messages, with advice for each.

    The messages stay in the queue. Delivery events are listed by their kind; why the events worker
    could not record them is in its log.

        python -m ops dlq list --env prod
        python -m ops dlq list --env prod --events
        python -m ops dlq list --env prod --messages --json
    """
    now, rows = session.clock(), []

    def collect(inspection: Inspection) -> Inspection:
        if each:
            rows.append(report.summary(inspection, now))
        return inspection

    with session.dead_letters(events=events) as scanner:
        inspections = session.inspector(events=events).inspect_all(scanner)
        causes = report.by_cause(map(collect, inspections), now, session.command_line)
        in_flight = scanner.in_flight()
    console, unseen = session.console, report.in_flight(in_flight, now)
    console.result({"causes": causes, **({"messages": rows} if each else {}), **unseen})
    hidden = {"advice", "commands"}
    table = [{k: v for k, v in cause.items() if k not in hidden} for cause in causes]
    console.rows(table, empty="no message is visible" if in_flight else "no dead-letter messages")
    if rows:
        console.heading("messages")
        console.rows(rows)
    console.steps(step for cause in causes for step in _steps(cause))
    if in_flight and not causes:
        raise OperatorError(report.in_flight_text(in_flight, now))
    if in_flight:
        console.note(report.in_flight_text(in_flight, now))


@command(app, "show")
def show(
    session: Session,
    message: MessageId,
    events: Events = False,  # noqa: FBT002 - an option
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """Show one dead-letter message: all its problems, its record and, on request, its body.

    python -m ops dlq show 5fea7756-0ea4-451a-a703-a558b933e274
    python -m ops dlq show 'demo-company#spring-intake#req-0001' --show-personal-data
    python -m ops dlq show 'demo-company#spring-intake#req-0001' --events
    """
    with session.dead_letters(events=events) as scanner:
        found = [
            inspection
            for inspection in session.inspector(events=events).inspect_all(scanner)
            if any(each.startswith(message) for each in _ids(inspection))
        ]
        in_flight = scanner.in_flight()
    if not found:
        unseen = report.in_flight_text(in_flight, session.clock()) if in_flight else ""
        listing = session.command_line("dlq", "list", "--messages", *(["--events"] * events))
        raise OperatorError(f"no such dead-letter message is visible: {unseen or listing}")
    found = [each for each in found if message in _ids(each)] or found
    ids = {each.conversation_id or each.message.message_id for each in found}
    if len(ids) > 1 and not any(message in _ids(each) for each in found):
        raise OperatorError(ambiguous("ids", message, ids))
    console, now = session.console, session.clock()
    documents = [report.details(each, now, show=show_personal_data) for each in found]
    console.result(documents)
    for document in documents:
        console.heading(f"message {document['message_id']}")
        console.fields({name: each for name, each in document.items() if name != "record"})
        console.heading("the conversation's record")
        console.fields(document["record"] or {"conversation": "has no record"})


@command(app, "redrive")
def redrive(  # noqa: PLR0917 - options, passed by name
    session: Session,
    cause: Causes = None,
    company: Companies = None,
    conversation: Conversations = None,
    message: MessageIds = None,
    events: Events = False,  # noqa: FBT002 - an option
    fixed_cause: FixedCauses = None,
    rate: Rate = 5,
    limit: Limit = None,
    no_trial: NoTrial = False,  # noqa: FBT002 - an option
    reason: Reason = "",
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Send dead-letter messages back to the queue; the ledger ensures that none is sent twice.

    Messages that were sent already are only removed. Sends of unknown outcome stay, and so do
    failed messages, unless --fixed-cause names their cause, and messages whose recipient opted out.
    Delivery events are safe in any order, because a delivery status never regresses. The command
    can be interrupted and repeated.

    Each conversation is redriven at most once. If there are more than five messages with a cause,
    five are redriven first: the others follow as soon as one of them is sent, or its draft held. If
    none is, the others stay and the exit code is 1.

        python -m ops dlq redrive --env prod --dry-run
        python -m ops dlq redrive --env prod --limit 10
        python -m ops dlq redrive --env prod --fixed-cause twilio_21612 --reason 'sender is set up'
        python -m ops dlq redrive --env prod --company demo-company --rate 20 --yes
        python -m ops dlq redrive --env prod --events --rate 50
    """
    if events and fixed_cause:
        raise OperatorError("--fixed-cause is about failed messages: --events has none")
    limiter = RateLimiter(rate)
    with session.dead_letters(events=events) as scanner:
        action = Redrive(
            filter=_filter(cause, company, conversation, message),
            fixed_causes=frozenset(fixed_cause or ()),
            scanner=scanner,
            queue=session.queue(events=events),
            conversations=session.conversations,
            limiter=limiter,
            audit=session.audit(reason),
        )
        inspector = session.inspector(events=events)
        runner = Runner(
            session.console, scanner, inspector, action, limiter, limit, has_trial=not no_trial
        )
        runner.run(dry_run=dry_run, yes=yes)


@command(app, "drop")
def drop(  # noqa: PLR0917 - options, passed by name
    session: Session,
    reason: Reason,
    cause: Causes = None,
    company: Companies = None,
    conversation: Conversations = None,
    message: MessageIds = None,
    events: Events = False,  # noqa: FBT002 - an option
    limit: Limit = None,
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Discard dead-letter messages for good; their records say by whom and why.

    A message is the only copy of its context object, and an event of what Twilio reported. A
    message that may have been sent stays until `unknown resolve` has decided about it.

        python -m ops dlq drop --cause body_not_json --reason 'a test of the router' --dry-run
        python -m ops dlq drop --message 5fea7756-0ea4-451a-a703-a558b933e274 --reason 'withdrawn'
    """
    selected = _filter(cause, company, conversation, message)
    if not selected:
        raise OperatorError("select messages with --cause, --company, --conversation or --message")
    require_reason(reason)
    limiter = RateLimiter()
    with session.dead_letters(events=events) as scanner:
        audit = session.audit(reason)
        action = Discard(selected, scanner, session.conversations, session.suppressions, audit)
        inspector = session.inspector(events=events)
        runner = Runner(session.console, scanner, inspector, action, limiter, limit)
        runner.run(dry_run=dry_run, yes=yes)


def _filter(causes: Many, companies: Many, conversations: Many, message_ids: Many) -> Filter:
    criteria = (causes, companies, conversations, message_ids)
    return Filter(*(frozenset(each or ()) for each in criteria))


def _ids(inspection: Inspection) -> tuple[str, str]:
    return inspection.message.message_id, inspection.conversation_id


def _steps(cause: Mapping[str, Any]) -> Iterator[NextStep]:
    """Yield the advice about a cause with its commands."""
    first, *others = cause["commands"]
    yield NextStep(f"{cause['cause']}: {cause['advice']}", first)
    yield from (NextStep("", command_line) for command_line in others)
