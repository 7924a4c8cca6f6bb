"""`send`: one context object onto the queue, checked as the processor will check it."""

from typing import Annotated, Any

import typer

from lambda_src.core.context import ContextObject
from lambda_src.core.contract import Status
from lambda_src.core.rejection import RejectedContext
from ops import masking
from ops.command import DryRun, ShowPersonalData, Yes, command
from ops.desk import Desk
from ops.errors import OperatorError
from ops.following import follow

File = Annotated[
    typer.FileText, typer.Argument(help="A context object, JSON; - for standard input.")
]
Follow = Annotated[bool, typer.Option("--follow", help="Stay until the conversation has ended.")]
Patience = Annotated[float, typer.Option("--patience", min=0, help="Seconds to follow it for.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "send")(send)


def send(  # noqa: PLR0917 - options, each by its name
    desk: Desk,
    file: File,
    is_followed: Follow = False,  # noqa: FBT002 - an option
    patience: Patience = 120,
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Check a context object with the processor's own rules, and put it on the queue.

    Everything wrong with it is told at once, and then nothing is sent. Its tenant is its message
    group, so that no tenant waits behind another's burst.

        python -m ops send examples/contexts/whatsapp.json --local --follow
        python -m ops send - --env prod --dry-run < context.json
    """
    body = file.read()
    context = _checked(desk, body)
    before = desk.register.read(context.key)
    company = str(context.attributes["company_id"])
    summary = {
        "conversation": context.key.conversation_id,
        "recipient": masking.recipient(context.recipient, show=show_personal_data),
        "company": company,
        "recorded_already": before.status if before else "",
    }
    desk.screen.fields(summary)
    if dry_run:
        desk.screen.result({**summary, "sent_to_queue": False})
        desk.screen.say("would be put on the queue: nothing is wrong with it")
        return
    desk.screen.confirm("Put it on the queue?", yes=yes)
    message_id = desk.queue.put(body, company)
    desk.screen.aftermath = (
        f"the message is on the queue: conversation show '{context.key.conversation_id}'"
        " tells what becomes of it"
    )
    desk.screen.say(f"on the queue: message {message_id}")
    end = _end(desk, context, patience) if is_followed else {}
    desk.screen.result({**summary, "sent_to_queue": True, "sqs_message_id": message_id, **end})
    if is_followed and end["status"] != Status.SENT:
        raise typer.Exit(1)


def _checked(desk: Desk, body: str) -> ContextObject:
    try:
        return desk.deployment.parse(body)
    except RejectedContext as rejected:
        problems = [
            {"field": each.field, "expected": each.expected, "found": each.found}
            for each in rejected.problems
        ]
        desk.screen.result({"code": rejected.code, "problems": problems})
        desk.screen.rows(problems)
        raise OperatorError(
            f"refused: {rejected.code}, {len(problems)} problem(s); nothing was sent"
        ) from None


def _end(desk: Desk, context: ContextObject, patience: float) -> dict[str, Any]:
    status, attributes = "", {}
    for record in follow(desk.register, context.key, patience):
        if record and record.status != status:
            status, attributes = record.status, dict(record.attributes)
            desk.screen.say(f"{status} {_reason(attributes)}".rstrip())
    return {"status": status, "failure": attributes.get("failure")}


def _reason(attributes: dict[str, Any]) -> str:
    failure = attributes.get("failure")
    return f"({failure['code']} at {failure['step']})" if failure else ""
