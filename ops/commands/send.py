"""`send`: validate a context object as the processor does, and send it to the queue."""

from typing import Annotated, Any

import typer

from lambda_src.core import ContextObject, RejectedContext, Status
from ops.command import (
    DryRun,
    OperatorError,
    Session,
    ShowPersonalData,
    Yes,
    command,
    mask_recipient,
)
from ops.console import decode_text
from ops.conversations import wait_for_outcome

File = Annotated[
    typer.FileBinaryRead, typer.Argument(help="A context object as JSON; - for standard input.")
]
Follow = Annotated[bool, typer.Option("--follow", help="Wait until the conversation has ended.")]
Patience = Annotated[float, typer.Option("--patience", min=0, help="Maximum wait in seconds.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "send")(send)


def send(  # noqa: PLR0917 - options, passed by name
    session: Session,
    file: File,
    follow: Follow = False,  # noqa: FBT002 - an option
    patience: Patience = 120,
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Validate a context object with the processor's own rules, and send it to the queue.

    All problems are reported at once, and then nothing is sent. The message group is the tenant's,
    so that no tenant waits behind another's burst.

        python -m ops send examples/contexts/whatsapp.json --local --follow
        python -m ops send - --env prod --dry-run < context.json
    """
    console = session.console
    body = decode_text(file.read(), getattr(file, "name", "standard input"))
    context = _parse(session, body)
    before = session.conversations.read(context.key)
    company = str(context.attributes["company_id"])
    summary = {
        "conversation": context.key.conversation_id,
        "recipient": mask_recipient(context.recipient, show=show_personal_data),
        "company": company,
        "recorded_already": before.status if before else "",
    }
    console.fields(summary)
    if dry_run:
        console.result({**summary, "sent_to_queue": False})
        console.say("valid: it would be sent to the queue")
        return
    console.confirm("Send it to the queue?", yes=yes)
    message_id = session.queue().send(body, company)
    console.if_interrupted = (
        "the message is on the queue: see its progress with conversation show"
        f" '{context.key.conversation_id}'"
    )
    console.say(f"on the queue: message {message_id}")
    outcome = _wait(session, context, patience) if follow else {}
    console.result({**summary, "sent_to_queue": True, "sqs_message_id": message_id, **outcome})
    if follow and outcome["status"] != Status.SENT:
        raise typer.Exit(1)


def _parse(session: Session, body: str) -> ContextObject:
    try:
        return session.deployment.parse(body)
    except RejectedContext as rejected:
        problems = [
            {"field": each.field, "expected": each.expected, "found": each.found}
            for each in rejected.problems
        ]
        session.console.result({"code": rejected.code, "problems": problems})
        session.console.rows(problems)
        raise OperatorError(
            f"rejected: {rejected.code}, {len(problems)} problem(s); nothing was sent"
        ) from None


def _wait(session: Session, context: ContextObject, patience: float) -> dict[str, Any]:
    status, attributes = "", {}
    for record in wait_for_outcome(session.conversations, context.key, patience):
        if record and record.status != status:
            status, attributes = record.status, dict(record.attributes)
            failure = attributes.get("failure")
            reason = f" ({failure['code']} at {failure['step']})" if failure else ""
            session.console.say(f"{status}{reason}")
    return {"status": status, "failure": attributes.get("failure")}
