"""`preview`: what the AI would write for a context object; nothing is sent or recorded."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lambda_src.core import RejectedContext
from ops.command import Console, OperatorError, Session, command, show_problems
from ops.console import format_dollars, read_text
from ops.credential_checks import API_KEY

if TYPE_CHECKING:
    from ops.drafting import Draft, Drafter

File = Annotated[
    typer.FileBinaryRead, typer.Argument(help="A context object as JSON; - for standard input.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "preview")(preview)


def preview(session: Session, file: File) -> None:
    """Show what the AI would write for a context object; nothing is sent and nothing recorded.

    It runs the function's own code: prompt, checks, the second request after a failed check, and
    the channel's rules for texts. What OpenAI stores of it is deleted afterwards. The texts are
    shown, since they consist of your own file. Exit code 1 means that the draft would be held for
    an operator, or that the message would fail.

    With OPENAI_API_KEY no AWS is needed, and the tenant's secret is not read. Otherwise the key and
    the tenant's credentials are those of the deployed channel, or of the local cloud with --local.

        OPENAI_API_KEY=… python -m ops preview examples/contexts/whatsapp.json
        python -m ops preview context.json --env prod --json
        python -m ops preview examples/contexts/whatsapp.json --local
    """
    body = read_text(file)
    draft = draft_message(session.console, _drafter(session), body)
    show_draft(session.console, draft)
    if not draft.is_sent:
        raise typer.Exit(1)


def draft_message(console: Console, drafter: "Drafter", body: str) -> "Draft":
    """Have the AI write the message of a context object.

    Raises:
        OperatorError: The context object is not valid; its problems are shown.
    """
    try:
        return drafter.draft(body)
    except RejectedContext as rejected:
        show_problems(console, rejected)
        raise OperatorError(
            f"rejected: {rejected.code}, {len(rejected.problems)} problem(s); nothing was drafted"
        ) from None


def show_draft(console: Console, draft: "Draft") -> None:
    """Show a draft with its checks, tokens and price."""
    console.result(asdict(draft))
    console.fields({"assistant": draft.assistant, "model": draft.model})
    if draft.answers:
        _show_answer(console, draft)
    if draft.kept:
        console.note(f"OpenAI still stores {', '.join(draft.kept)}: the deletion failed")
    match draft.outcome:
        case "sent":
            console.say("it would be sent", "green")
        case outcome:
            verb = "be held" if outcome == "held" else "fail"
            console.say(f"it would {verb}: {draft.reason}", "red")
            for problem in draft.problems:
                console.say(f"• {problem}")


def _show_answer(console: Console, draft: "Draft") -> None:
    console.heading("draft")
    if draft.variables:
        console.fields(draft.variables)
    else:
        console.say(draft.text or "no text")
    console.heading("checks")
    console.rows(
        [
            {
                "check": each["name"],
                "result": "passed" if each["passed"] else "failed",
                "problems": "; ".join(f"the draft {problem}" for problem in each["problems"]),
            }
            for each in draft.checks
        ],
        empty="none, since there is no text within the channel's rules",
    )
    if draft.first_problem:
        console.say(f"the first answer was asked for again: {draft.first_problem}")
    console.heading("usage")
    console.fields(
        {
            "answers": draft.answers,
            "prompt_tokens": draft.usage.prompt_tokens,
            "completion_tokens": draft.usage.completion_tokens,
            "cost": format_dollars(draft.dollars),
            "duration": f"{draft.seconds} s",
        }
    )


def _drafter(session: Session) -> "Drafter":
    # Imported here, with the composer and the vendors' SDKs: no other command needs them.
    from ops.drafting import Drafter  # noqa: PLC0415

    key = os.environ.get(API_KEY)
    if key and not session.is_local:
        base_url = session.endpoints.openai_base_url
        return Drafter.of_key(session.channel, session.parts, key, base_url)
    return Drafter.of_deployment(session.deployment)
