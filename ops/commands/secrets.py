"""`secrets`: stored in their documented form, and proven; no value is ever shown or logged."""

import sys
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from lambda_src.core.errors import PermanentFailure
from ops.command import DryRun, Yes, command
from ops.desk import Desk
from ops.errors import OperatorError
from ops.secret_kinds import Kind, kind_of
from ops.secret_store import SecretStore, parsed

app = typer.Typer(no_args_is_help=True, help="The channel's secrets: store them, prove them.")

Name = Annotated[str, typer.Argument(help="The secret's name.")]
Names = Annotated[list[str] | None, typer.Argument(help="Secrets' names; all of the channel's.")]
Unproven = Annotated[
    bool, typer.Option("--unproven", help="Store it although its vendor was not asked.")
]


@command(app, "check")
def check(desk: Desk, names: Names = None) -> None:
    """Read secrets, hold them against their form, and ask their vendors whether they are good.

    The calls cost nothing and send nothing: a model's description, the account's.

        python -m ops secrets check --env prod
        python -m ops secrets check ai-multi-comms/prod/whatsapp-credentials/demo-company
    """
    store = SecretStore(desk.aws.secretsmanager, desk.deployment)
    chosen = [store.checked(name) for name in names] if names else sorted(store.names())
    rows = [
        {"secret": name, "vendor": kind_of(name).vendor, "problem": _problem(desk, store, name)}
        for name in chosen
    ]
    desk.screen.result(rows)
    desk.screen.rows(rows, nothing="the channel has no secrets")
    bad = [row for row in rows if row["problem"]]
    desk.screen.steps(f"secrets set {row['secret']}" for row in bad)
    if bad:
        raise typer.Exit(1)


@command(app, "set")
def store_secret(
    desk: Desk,
    name: Name,
    unproven: Unproven = False,  # noqa: FBT002 - an option
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Store a secret: typed at a prompt, or as JSON on standard input; never on the command line.

    It is held against its documented form and proven with its vendor first. The function reads it
    within minutes, or at once after a refusal. CloudTrail has who stored it.

        python -m ops secrets set ai-multi-comms/prod/openai-api-key/whatsapp
        python -m ops secrets set ai-multi-comms/prod/whatsapp-credentials/acme --yes < secret.json
    """
    store = SecretStore(desk.aws.secretsmanager, desk.deployment)
    kind = kind_of(store.checked(name))
    is_typed = is_terminal()
    value = _typed(kind) if is_typed else parsed(sys.stdin.read())
    kind.check_form(value)
    if not unproven and (problem := kind.problem(desk.deployment, value)):
        raise OperatorError(f"not stored: {problem} (--unproven stores it all the same)")
    document = {"secret": name, "vendor": kind.vendor, "proven": not unproven}
    if dry_run:
        desk.screen.result({**document, "done": ""})
        desk.screen.say(f"would be stored: {name}, in the form of {kind.vendor}")
        return
    if not is_typed and not yes:
        raise OperatorError("standard input holds the secret, so nobody can be asked: add --yes")
    desk.screen.confirm(f"Store {name}?", yes=yes)
    done = store.write(name, value)
    desk.screen.result({**document, "done": done})
    desk.screen.say(f"{done}: {name}", "green")


def is_terminal() -> bool:
    """Whether a person sits at standard input."""
    return sys.stdin.isatty()


def _problem(desk: Desk, store: SecretStore, name: str) -> str:
    kind = kind_of(name)
    try:
        value = store.read(name)
        kind.check_form(value)
    except PermanentFailure as failure:
        return str(failure)
    except ClientError as error:
        return f"Secrets Manager refuses it: {error.response['Error']['Code']}"
    return kind.problem(desk.deployment, value)


def _typed(kind: Kind) -> dict[str, Any]:
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
