"""`secrets`: check the channel's secrets with their vendors, and store new ones."""

import sys
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from lambda_src.core import ConfigurationRefused
from lambda_src.services.secrets_manager_service import parse_secret
from ops.command import DryRun, NextStep, OperatorError, Session, Yes, command
from ops.credential_checks import SecretKind, SecretStore, refused_secret

app = typer.Typer(no_args_is_help=True, help="The channel's secrets: check them, store new ones.")

Name = Annotated[str, typer.Argument(help="The secret's name.")]
Names = Annotated[
    list[str] | None, typer.Argument(help="Names of secrets; by default all of the channel.")
]
New = Annotated[bool, typer.Option("--new", help="Create the secret: it does not exist yet.")]
Unproven = Annotated[bool, typer.Option("--unproven", help="Store it without the vendor's check.")]


@command(app, "check")
def check(session: Session, names: Names = None) -> None:
    """Read secrets, check their schema, and check the credentials with their vendors.

    The vendor requests are free of charge and send nothing: an empty request to OpenAI, and, for
    example, a list of messages at Twilio. A channel may have no such request.

        python -m ops secrets check --env prod
        python -m ops secrets check ai-multi-comms/prod/whatsapp-credentials/demo-company
    """
    store = SecretStore(session.aws.secretsmanager, session.deployment)
    selected = [store.check_name(name) for name in names] if names else sorted(store.names())
    rows = [
        {"secret": name, "vendor": store.kind_of(name).vendor, "problem": "", "note": ""}
        | _findings(store, name)
        for name in selected
    ]
    session.console.result(rows)
    table = [{key: row[key] for key in row if key != "note"} for row in rows]
    session.console.rows(table, empty="the channel has no secrets")
    for row in rows:
        if row["note"]:
            session.console.say(f"{row['secret']}: {row['note']}")
    invalid = [row for row in rows if row["problem"]]
    if rows and not invalid:
        session.console.say(f"{len(rows)} valid", "green")
    session.console.steps(
        NextStep("", session.command_line("secrets", "set", str(row["secret"]))) for row in invalid
    )
    if invalid:
        raise typer.Exit(1)


@command(app, "set")
def store_secret(  # noqa: PLR0917 - options, passed by name
    session: Session,
    name: Name,
    new: New = False,  # noqa: FBT002 - an option
    unproven: Unproven = False,  # noqa: FBT002 - an option
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Store a secret, typed at a prompt or as JSON on standard input, not on the command line.

    Its schema is checked first, and its vendor is asked about it. The function reads the new value
    within minutes, or immediately after a refusal. CloudTrail records who stored it. A secret that
    does not exist is only created after a question, or with --new: its name may be misspelled.

        python -m ops secrets set ai-multi-comms/prod/openai-api-key/whatsapp
        python -m ops secrets set ai-multi-comms/prod/whatsapp-credentials/acme --yes < secret.json
    """
    store = SecretStore(session.aws.secretsmanager, session.deployment)
    kind = store.kind_of(store.check_name(name))
    is_new = not store.is_stored(name)
    nearest = store.nearest(name) if is_new else ""
    missing = f"{name} does not exist" + (f" (the nearest is {nearest})" if nearest else "")
    if is_new and not new:
        if yes:
            raise OperatorError(f"not stored: {missing}: add --new to create it")
        session.console.note(missing)
    is_typed = is_terminal()
    value = _prompt(kind) if is_typed else parse_secret(sys.stdin.buffer.read())
    kind.parse(value)
    if not unproven and (problem := kind.problem(session.deployment.settings, value)):
        raise OperatorError(f"not stored: {problem} (--unproven stores it without this check)")
    is_proven = kind.check is not None and not unproven
    document = {"secret": name, "vendor": kind.vendor, "proven": is_proven, "is_new": is_new}
    if dry_run:
        session.console.result({**document, "nearest": nearest, "done": ""})
        done = "would be created as a new secret" if is_new else "would be stored"
        session.console.say(f"{done}: {name}, for {kind.vendor}")
        return
    if not is_typed and not yes:
        raise OperatorError(
            "standard input holds the secret, so no question is possible: add --yes"
        )
    session.console.confirm(f"{'Create' if is_new else 'Store'} {name}?", yes=yes)
    done = store.write(name, value, is_new=is_new)
    session.console.result({**document, "done": done})
    session.console.say(f"{done}: {name}", "green")


def is_terminal() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin.isatty()


def _findings(store: SecretStore, name: str) -> dict[str, str]:
    """Return the problem of a secret and a note about a valid one, if there are any."""
    try:
        value = store.read(name)
    except ConfigurationRefused as failure:
        return {"problem": str(failure)}
    except ClientError as error:
        return {"problem": refused_secret(name, error)}
    kind = store.kind_of(name)
    if problem := kind.problem(store.deployment.settings, value):
        return {"problem": problem}
    note = kind.note(value)
    return {"note": f"valid; {note}"} if note else {}


def _prompt(kind: SecretKind) -> dict[str, Any]:
    if not kind.fields:
        raise OperatorError(
            "the channel does not name the fields of its secrets: give the value as JSON on"
            " standard input, with --yes"
        )
    answers = {
        field.name: typer.prompt(
            field.name if field.is_required else f"{field.name} (optional)",
            hide_input=field.is_hidden,
            default=None if field.is_required else "",
            show_default=False,
            err=True,
        )
        for field in kind.fields
    }
    return {name: answer for name, answer in answers.items() if answer}
