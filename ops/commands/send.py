"""`send`: validate a context object as the processor does, and send it to the queue."""

import json
from typing import Annotated, Any

import typer

from lambda_src.core import ContextObject, RejectedContext, Status
from ops.command import (
    DryRun,
    NextStep,
    OperatorError,
    Session,
    ShowPersonalData,
    Yes,
    command,
    mask_recipient,
    show_problems,
)
from ops.console import read_text
from ops.conversations import FINAL_STATUSES, wait_for_outcome
from ops.deployment import channel_names

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
    so that no tenant waits behind another's burst. A conversation that has ended is not sent again:
    with --follow the command says so, and exits with 1.

        python -m ops send examples/contexts/whatsapp.json --local --follow
        python -m ops send - --env prod --dry-run < context.json
    """
    console = session.console
    body = read_text(file)
    context = _parse(session, body, str(getattr(file, "name", "-")).replace("<stdin>", "-"))
    before = session.conversations.read(context.key)
    company = str(context.attributes["company_id"])
    summary = {
        "conversation": context.key.conversation_id,
        "recipient": mask_recipient(context.recipient, show=show_personal_data),
        "company": company,
        "recorded_already": before.status if before else "",
    }
    console.fields(summary)
    ended = before.status if before and before.status in FINAL_STATUSES else ""
    if ended:
        known = "it was sent before" if ended == Status.SENT else f"it is {ended} already"
        console.note(f"{known}: the conversation has ended, and nothing is sent now")
    if dry_run:
        console.result({**summary, "sent_to_queue": False})
        console.say("valid: it would be sent to the queue")
        return
    console.confirm("Send it to the queue?", yes=yes)
    message_id = session.queue().send(body, company)
    console.if_interrupted = (
        "the message is on the queue: see its progress with"
        f" {session.command_line('conversation', 'show', context.key.conversation_id)}"
    )
    console.say(f"on the queue: message {message_id}")
    outcome: dict[str, Any] = {}
    if follow and ended:
        outcome = {"status": ended, "sent_now": False}
    elif follow:
        outcome = _wait(session, context, patience)
    console.result({**summary, "sent_to_queue": True, "sqs_message_id": message_id, **outcome})
    if follow and not outcome["sent_now"]:
        raise typer.Exit(1)


def _parse(session: Session, body: str, file_name: str) -> ContextObject:
    try:
        return session.deployment.parse(body)
    except RejectedContext as rejected:
        show_problems(session.console, rejected)
        if session.deployment.is_other_channels(body):
            _suggest_channel(session, body, file_name)
        raise OperatorError(
            f"rejected: {rejected.code}, {len(rejected.problems)} problem(s); nothing was sent"
        ) from None


def _suggest_channel(session: Session, body: str, file_name: str) -> None:
    """Suggest the same command for the channel that a context object names, if there is one."""
    named = json.loads(body)["frontend_payload"]["request_data"]["channel_method"]
    # The name is shown only if it is a channel's: a wrong value may be anything.
    if named in set(channel_names(session.aws, session.project, session.environment)):
        send = session.command_line("send", file_name, channel=named)
        session.console.steps([NextStep(f"it is for the channel {named}", send)])


def _wait(session: Session, context: ContextObject, patience: float) -> dict[str, Any]:
    status, attributes = "", {}
    for record in wait_for_outcome(session.conversations, context.key, patience):
        if record and record.status != status:
            status, attributes = record.status, dict(record.attributes)
            failure = attributes.get("failure")
            reason = f" ({failure['code']} at {failure['step']})" if failure else ""
            session.console.say(f"{status}{reason}")
    failure = attributes.get("failure")
    return {"status": status, "failure": failure, "sent_now": status == Status.SENT}
