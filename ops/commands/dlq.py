"""`dlq`: the dead letters, with their reasons; back on the queue, or given up."""

import json
from typing import Annotated, Any

import typer

from lambda_src.core.rejection import RejectedContext
from ops import letter_overview as overview
from ops import masking
from ops.choice import Choice
from ops.command import DryRun, ShowPersonalData, Why, Yes, command
from ops.desk import Desk
from ops.dropping import Dropping
from ops.errors import OperatorError
from ops.letter_case import Case
from ops.letter_run import LetterRun
from ops.pace import Pace
from ops.redriving import Redriving

app = typer.Typer(no_args_is_help=True, help="Dead letters: see why, redrive, or give up.")

Many = list[str] | None
Causes = Annotated[Many, typer.Option("--cause", help="Of this cause, as `dlq list` names it.")]
Companies = Annotated[Many, typer.Option("--company", help="Of this tenant.")]
Conversations = Annotated[Many, typer.Option("--conversation", help="Of this conversation.")]
LetterIds = Annotated[Many, typer.Option("--letter", help="The letter of this id.")]
Mended = Annotated[
    Many,
    typer.Option(
        "--mended", help="Also those that failed of this cause, which is mended: they are released."
    ),
]
Rate = Annotated[
    float, typer.Option("--rate", min=0.1, help="Letters a second: how fast the vendors are asked.")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many; a trial run.")]
EachLetter = Annotated[bool, typer.Option("--letters", help="Each letter, beside the groups.")]
LetterId = Annotated[str, typer.Argument(help="A letter's id, or its conversation's.")]


@command(app, "list")
def show_list(desk: Desk, each: EachLetter = False) -> None:  # noqa: FBT002 - an option
    """Why messages were given up, grouped by cause, with what to do about each.

    Letters are looked at and stay where they are.

        python -m ops dlq list --env prod
        python -m ops dlq list --env prod --letters --json
    """
    now, rows = desk.clock(), []

    def noted(case: Case) -> Case:
        if each:
            rows.append(overview.row(case, now))
        return case

    with desk.letters() as letters:
        groups = overview.by_cause(map(noted, overview.cases(letters, desk.case_file)), now)
    desk.screen.result({"groups": groups, **({"letters": rows} if each else {})})
    table = [{k: v for k, v in group.items() if k != "what_to_do"} for group in groups]
    desk.screen.rows(table, nothing="no dead letters")
    if each:
        desk.screen.rows(rows)
    desk.screen.steps(f"{group['cause']}: {group['what_to_do']}" for group in groups)


@command(app, "show")
def show(desk: Desk, letter: LetterId, show_personal_data: ShowPersonalData = False) -> None:  # noqa: FBT002 - an option
    """One dead letter: everything wrong with it, its record, and its body if asked for.

    python -m ops dlq show 5fea7756-0ea4-451a-a703-a558b933e274
    python -m ops dlq show 'demo-company#spring-intake#req-0001' --show-personal-data
    """
    with desk.letters() as letters:
        found = [
            case
            for case in overview.cases(letters, desk.case_file)
            if letter in {case.letter.message_id, case.conversation_id}
        ]
    if not found:
        raise OperatorError("no such dead letter is visible now: look at `dlq list --letters`")
    documents = [_document(case, desk.clock(), show=show_personal_data) for case in found]
    desk.screen.result(documents)
    for document in documents:
        desk.screen.heading(f"letter {document['letter']}")
        desk.screen.fields({name: each for name, each in document.items() if name != "record"})
        desk.screen.heading("its conversation's record")
        desk.screen.fields(document["record"] or {"conversation": "has no record"})


@command(app, "redrive")
def redrive(  # noqa: PLR0917 - options, each by its name
    desk: Desk,
    cause: Causes = None,
    company: Companies = None,
    conversation: Conversations = None,
    letter: LetterIds = None,
    mended: Mended = None,
    rate: Rate = 5,
    limit: Limit = None,
    reason: Why = "",
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Put dead letters back on the queue, through the ledger: nothing is sent twice.

    Letters whose message was sent are removed; those whose send is unknown stay, and so do those
    that failed, unless their cause is named as mended. Interrupted and started again it goes on
    where it was.

        python -m ops dlq redrive --env prod --dry-run
        python -m ops dlq redrive --env prod --limit 10
        python -m ops dlq redrive --env prod --mended twilio_21606 --reason 'the sender is set up'
        python -m ops dlq redrive --env prod --company demo-company --rate 20 --yes
    """
    pace = Pace(rate)
    with desk.letters() as letters:
        redriving = Redriving(
            choice=_choice(cause, company, conversation, letter),
            mended=frozenset(mended or ()),
            letters=letters,
            queue=desk.queue,
            register=desk.register,
            marks=desk.suppressions,
            pace=pace,
            signature=desk.signature(reason),
        )
        LetterRun(desk, letters, redriving, pace, limit).go(dry_run=dry_run, yes=yes)


@command(app, "drop")
def drop(  # noqa: PLR0917 - options, each by its name
    desk: Desk,
    reason: Why,
    cause: Causes = None,
    company: Companies = None,
    conversation: Conversations = None,
    letter: LetterIds = None,
    limit: Limit = None,
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Give dead letters up for good: their records say so, by whom and why.

    A letter is the only copy of its context object. One that may have been sent stays until that
    is decided (`unknown resolve`).

        python -m ops dlq drop --cause body_not_json --reason 'a test of the router' --dry-run
        python -m ops dlq drop --letter 5fea7756-0ea4-451a-a703-a558b933e274 --reason 'withdrawn'
    """
    choice = _choice(cause, company, conversation, letter)
    if not choice:
        raise OperatorError("say which: --cause, --company, --conversation or --letter")
    if not reason.strip():
        raise OperatorError("--reason is empty: it stands in the record's audit line")
    with desk.letters() as letters:
        signature = desk.signature(reason)
        dropping = Dropping(choice, letters, desk.register, desk.suppressions, signature)
        LetterRun(desk, letters, dropping, Pace(0), limit).go(dry_run=dry_run, yes=yes)


def _choice(causes: Many, companies: Many, conversations: Many, letters: Many) -> Choice:
    return Choice(*(frozenset(each or ()) for each in (causes, companies, conversations, letters)))


def _document(case: Case, now: float, *, show: bool) -> dict[str, Any]:
    problems = (
        [str(problem) for problem in case.content.problems]
        if isinstance(case.content, RejectedContext)
        else []
    )
    record = masking.record(case.record.attributes, show=show) if case.record else None
    body = _read(case.letter.body) if show else masking.MASK
    return {**overview.row(case, now), "problems": problems, "record": record, "body": body}


def _read(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body
