"""`approvals`: list the drafts that wait for an operator, show one, and decide."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from lambda_src.core import Answer, ConditionFailed
from lambda_src.services.dynamodb import items
from ops.approvals import (
    Decision,
    DraftRequest,
    Review,
    held_records,
    input_of,
    is_held,
    no_draft,
    past_decision,
    waits_for_queue,
)
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
)
from ops.console import read_text
from ops.conversations import ConversationRecord, age_hours

app = typer.Typer(
    no_args_is_help=True, help="Drafts that wait for an operator: list, show, and decide."
)

QUEUED_LATER = (
    "the approval is recorded: run the same command again to queue the message now, or leave that"
    " to the scheduled job"
)

ConversationId = Annotated[
    str, typer.Argument(help="The conversation's id, or its first characters.")
]
DraftId = Annotated[
    str,
    typer.Option(
        "--draft",
        help="The id of the draft that you have seen; without it the draft is shown and confirmed.",
    ),
]
Text = Annotated[str | None, typer.Option("--text", help="The text to send.")]
File = Annotated[
    typer.FileBinaryRead | None,
    typer.Option("--file", help="A file with the text to send; - for standard input."),
]
Variables = Annotated[
    list[str] | None,
    typer.Option("--variable", help="NAME=TEXT for a variable of a template; others stay."),
]
AcceptProblems = Annotated[
    bool, typer.Option("--accept-problems", help="Send the text although checks fail.")
]


@dataclass(frozen=True)
class _Choice:
    """What the operator decides, and how.

    Attributes:
        decision: The decision.
        draft_id: The draft that the operator has seen; empty: it is shown before the question.
        reason: Why; for the audit entry.
        show: Whether personal data is shown.
        dry_run: Whether nothing is changed.
        yes: Whether no question is asked.
        compose: Returns the answer to approve, from the draft; None for a rejection.
    """

    decision: Decision
    draft_id: str
    reason: str
    show: bool
    dry_run: bool
    yes: bool
    compose: Callable[[DraftRequest, Answer], Answer] | None = None


@command(app, "list")
def show_list(
    session: Session,
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """List the drafts that wait for a decision, the oldest first.

    python -m ops approvals list --env prod
    """
    now = session.clock()
    held = held_records(session.deployment, session.conversations, now)
    rows = [_row(record, since, now, show=show_personal_data) for since, record in held]
    session.console.result(rows)
    session.console.rows(rows, empty="no drafts wait for a decision")
    session.console.steps(
        NextStep("", session.command_line("approvals", "show", row["conversation"])) for row in rows
    )


@command(app, "show")
def show(
    session: Session,
    conversation: ConversationId,
    recipient: Recipient = "",
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """Show a draft beside what the AI was given, its problems, and the commands that decide.

    python -m ops approvals show 'demo-company#spring-intake#req-0001' --show-personal-data
    """
    review = Review.of(session.conversation(conversation, recipient))
    session.console.result(_show(session, review, show=show_personal_data))
    session.console.steps(_options(session, review), "decide")


@command(app, "approve")
def approve(  # noqa: PLR0917 - options, passed by name
    session: Session,
    conversation: ConversationId,
    draft: DraftId = "",
    recipient: Recipient = "",
    reason: Reason = "",
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Let a draft be sent as it is.

    It is not checked again, and is sent once, unless the recipient has opted out or was erased. If
    the template has changed since, it is held again. An empty draft can only be edited or rejected.

        python -m ops approvals approve req-0001 --show-personal-data
        python -m ops approvals approve req-0001 --draft Wd3f0a8h --yes
    """

    def compose(request: DraftRequest, answer: Answer) -> Answer:
        return request.as_it_is(answer)

    choice = _Choice(Decision.APPROVE, draft, reason, show_personal_data, dry_run, yes, compose)
    _decide(session, session.conversation(conversation, recipient, is_whole=yes), choice)


@command(app, "edit")
def edit(  # noqa: PLR0917 - options, passed by name
    session: Session,
    conversation: ConversationId,
    text: Text = None,
    file: File = None,
    variable: Variables = None,
    accept_problems: AcceptProblems = False,  # noqa: FBT002 - an option
    draft: DraftId = "",
    recipient: Recipient = "",
    reason: Reason = "",
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Let another text be sent in place of a draft.

    For an assistant without variables give --text or --file, for another one --variable for each
    value to replace. The text must satisfy the channel's rules, and the assistant's checks unless
    you add --accept-problems. Moderation is not asked.

        python -m ops approvals edit req-0001 --variable '2=We have your letter.' --draft Wd3f0a8h
        python -m ops approvals edit req-0001 --file text.txt --accept-problems --show-personal-data
    """
    if text is not None and file is not None:
        raise OperatorError("give --text or --file, not both")
    if file is not None:
        text = read_text(file)
    values = _variables(variable or ())

    def compose(request: DraftRequest, answer: Answer) -> Answer:
        edited, problems = request.edit(answer, text, values)
        if request.is_moderated:
            session.console.note("moderation is not asked about an edited text")
        _check(session, problems, accepted=accept_problems, show=show_personal_data)
        return edited

    choice = _Choice(Decision.EDIT, draft, reason, show_personal_data, dry_run, yes, compose)
    _decide(session, session.conversation(conversation, recipient, is_whole=yes), choice)


@command(app, "reject")
def reject(  # noqa: PLR0917 - options, passed by name
    session: Session,
    conversation: ConversationId,
    draft: DraftId = "",
    recipient: Recipient = "",
    reason: Reason = "",
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Let nothing be sent: the conversation fails, and no redrive releases it.

    python -m ops approvals reject req-0001 --draft Wd3f0a8h --reason 'withdrawn'
    """
    choice = _Choice(Decision.REJECT, draft, reason, show_personal_data, dry_run, yes)
    _decide(session, session.conversation(conversation, recipient, is_whole=yes), choice)


def _decide(session: Session, record: ConversationRecord, choice: _Choice) -> None:
    """Show the draft, and make the decision after confirmation."""
    if not is_held(record):
        _complete(session, record, choice)
        return
    review, console = Review.of(record), session.console
    document = _show(session, review, show=choice.show)
    _check_seen(review, choice)
    what = choice.decision.describe(review.draft.id)
    request = answer = None
    if choice.compose:
        request = DraftRequest.of(record, session.deployment)
        answer = choice.compose(request, review.draft.answer)
        if choice.decision is Decision.EDIT:
            console.heading("the text to send")
            console.fields(_texts(answer, show=choice.show))
    if choice.dry_run:
        console.say(f"would be done: {what}")
        console.result({**document, "decision": what, "changed": False})
        return
    console.confirm(f"{record.key.conversation_id}: {what}?", yes=choice.yes)
    audit = session.audit(choice.reason)
    update = review.approve(answer, session.channel, audit) if answer else review.reject(audit)
    try:
        session.conversations.apply(update, audit.entry(what))
    except ConditionFailed:
        found = session.conversations.read(record.key)
        if found is None:
            raise OperatorError("the record is gone: the recipient was erased") from None
        # The SDK repeats a write whose answer was lost, and then finds the write itself.
        at = items.timestamp(audit.at)
        _require_own(found, review.draft.id, choice.decision, audit.who, answer, at)
    if request:
        _queue(session, record, request)
    console.say(f"done: {what}", "green")
    console.result({**document, "decision": what, "changed": True})


def _complete(session: Session, record: ConversationRecord, choice: _Choice) -> None:
    """Complete an approval of the same operator that was interrupted, or say that it is made."""
    if not choice.draft_id:
        raise OperatorError(no_draft(record))
    request = answer = None
    stored = record.ledger.answer if record.ledger else None
    if choice.compose and stored and waits_for_queue(record):
        request = DraftRequest.of(record, session.deployment)
        answer = choice.compose(request, stored)
    who = session.audit(choice.reason).who
    _require_own(record, choice.draft_id, choice.decision, who, answer)
    what = choice.decision.describe(choice.draft_id)
    console = session.console
    if request and not choice.dry_run:
        console.confirm(f"{record.key.conversation_id}: queue the message again?", yes=choice.yes)
        _queue(session, record, request)
    console.say(f"was done before: {what}; the record is {record.status}")
    console.result({"decision": what, "changed": False, "status": record.status})


def _require_own(  # noqa: PLR0917 - the parts of a decision
    record: ConversationRecord,
    draft_id: str,
    decision: Decision,
    who: str,
    answer: Answer | None,
    at: str = "",
) -> None:
    """Check that the record has this decision of this operator.

    Args:
        record: The record, read after the decision.
        draft_id: The draft.
        decision: What was decided.
        who: The operator, who may use several terminals.
        answer: What was approved, if it is known.
        at: When this command decided; empty: an earlier one did.

    Raises:
        OperatorError: It has another one, or none.
    """
    past = past_decision(record, draft_id)
    if past is None:
        raise OperatorError(
            f"{record.key.conversation_id} has changed since it was shown, and nothing was changed:"
            " look again (approvals show)"
        )
    stored = record.ledger.answer if record.ledger else None
    is_other = bool(answer and stored and not answer.has_same_content(stored))
    is_own = (past.who, past.what) == (who, decision.describe(draft_id)) and at in {"", past.at}
    if not is_own or is_other:
        text = " with another text" if is_other else ""
        raise OperatorError(f"nothing was changed: {past}{text}; the record is {record.status}")


def _queue(session: Session, record: ConversationRecord, request: DraftRequest) -> None:
    """Put the rebuilt context object on the channel's queue; a second copy is harmless."""
    session.console.if_interrupted = QUEUED_LATER
    company = str(record.attributes["company_id"])
    session.queue().send(request.body, company, request.asked_at)
    session.console.say("the message is on the channel's queue")


def _check_seen(review: Review, choice: _Choice) -> None:
    """Check that the operator has seen this draft, or sees it before the question.

    Raises:
        OperatorError: It is another draft, or its text is masked.
    """
    id_, name = review.draft.id, review.record.key.conversation_id
    if choice.draft_id and choice.draft_id != id_:
        raise OperatorError(
            f"{name} has another draft by now, and nothing was changed: look again (approvals show)"
        )
    is_confirmed = choice.show and not choice.yes
    if not (choice.draft_id or choice.dry_run or is_confirmed):
        raise OperatorError(
            f"say which draft you have seen: --draft {id_}; or add --show-personal-data without"
            " --yes to see it now"
        )


def _check(session: Session, problems: list[str], *, accepted: bool, show: bool) -> None:
    if not problems:
        return
    session.console.heading("problems of the text")
    for problem in problems:
        session.console.say(problem if show else MASK)
    if not accepted:
        hint = "" if show else " (add --show-personal-data to read them)"
        raise OperatorError(
            f"the text has {len(problems)} problem(s){hint}: change it, or add --accept-problems"
        )


def _variables(pairs: list[str] | tuple[()]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name or name in values:
            raise OperatorError("--variable: expected NAME=TEXT, each name once")
        values[name] = text
    return values


def _row(record: ConversationRecord, since: float, now: float, *, show: bool) -> dict[str, Any]:
    attributes = record.attributes
    draft = attributes.get("draft")
    problems = draft.get("problems") if isinstance(draft, Mapping) else None
    return {
        "conversation": record.key.conversation_id,
        "recipient": mask_recipient(record.key.primary_channel, show=show),
        "company": attributes.get("company_id", ""),
        "age_hours": age_hours(since, now),
        "reason": attributes.get("hand_off_to_human_reason", ""),
        "problems": len(problems) if isinstance(problems, list) else 0,
        "draft": attributes.get("draft_id", ""),
    }


def _show(session: Session, review: Review, *, show: bool) -> dict[str, Any]:
    console, draft = session.console, review.draft
    row = _row(review.record, draft.at, session.clock(), show=show)
    texts = _texts(draft.answer, show=show)
    problems = [problem if show else MASK for problem in draft.problems]
    given = {name: value if show else MASK for name, value in input_of(review.record).items()}
    written_by = dict(draft.answer.written_by)
    console.heading("the record")
    console.fields({**row, "template": draft.template_id})
    console.heading("what the AI was given")
    console.fields(given)
    console.heading("the draft")
    console.fields(texts)
    if problems:
        console.heading("its problems")
        for problem in problems:
            console.say(problem)
    console.heading("written by")
    console.fields(written_by)
    return {
        **row,
        "template": draft.template_id,
        "input": given,
        "text": "" if draft.answer.variables else texts["text"],
        "variables": texts if draft.answer.variables else {},
        "problem_texts": problems,
        "written_by": written_by,
    }


def _texts(answer: Answer, *, show: bool) -> dict[str, str]:
    """Return the texts of an answer by the names of its variables."""
    texts = dict(answer.variables) if answer.variables else {"text": answer.text}
    return {name: text if show or not text else MASK for name, text in texts.items()}


def _options(session: Session, review: Review) -> Iterator[NextStep]:
    id_, draft = review.record.key.conversation_id, review.draft

    def decide(decision: str, *options: str) -> str:
        return session.command_line("approvals", decision, id_, "--draft", draft.id, *options)

    text = ("--variable", "NAME=TEXT") if draft.answer.variables else ("--text", "TEXT")
    if _has_text(review):
        yield NextStep("send it as it is", decide("approve"))
    yield NextStep("send another text", decide("edit", *text))
    yield NextStep("send nothing", decide("reject"))


def _has_text(review: Review) -> bool:
    answer = review.draft.answer
    return bool(answer.text or answer.variables)
