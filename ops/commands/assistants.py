"""`assistants check`: the definitions of this checkout, before they are deployed."""

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from lambda_src.core.errors import ProcessingError
from lambda_src.services.secret_forms import openai_key
from lambda_src.utils.assistant_definitions import DIRECTORY
from ops.assistant_files import Checked, check_model, files
from ops.assistant_files import check as check_file
from ops.command import command
from ops.desk import Desk
from ops.secret_store import SecretStore
from ops.surroundings import OPENAI_BASE_URL
from ops.vendor_proofs import OpenAILookup

app = typer.Typer(
    no_args_is_help=True, help="Assistant definitions: valid, and their models served."
)

API_KEY = "OPENAI_API_KEY"  # the SDK's own variable

Directory = Annotated[
    Path, typer.Option("--directory", exists=True, file_okay=False, help="Where they stand.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not ask OpenAI about the models.")]
Days = Annotated[int, typer.Option("--days", min=0, help="A model must be served for so long.")]


@command(app, "check")
def check(
    desk: Desk,
    directory: Directory = DIRECTORY,
    offline: Offline = False,  # noqa: FBT002 - an option
    days: Days = 30,
) -> None:
    """Parse every definition, check its schema, and ask OpenAI how long its model is served.

    The key is that of OPENAI_API_KEY, or else the channel's own secret. Exit code 1 says that a
    definition does not work, or will not for the next --days.

        python -m ops assistants check --offline
        OPENAI_API_KEY=… python -m ops assistants check --days 60
    """
    checked = [check_file(path) for path in files(directory)]
    if not offline:
        lookup = _lookup(desk)
        for each in checked:
            _ask(lookup, each, days)
    rows = [asdict(each) for each in checked]
    desk.screen.result(rows)
    desk.screen.rows(
        [
            {**row, "problems": "; ".join(row["problems"]), "warnings": "; ".join(row["warnings"])}
            for row in rows
        ],
        nothing="no definitions",
    )
    if any(each.problems for each in checked):
        raise typer.Exit(1)


def _lookup(desk: Desk) -> OpenAILookup:
    base_url = desk.surroundings.base_urls.get(OPENAI_BASE_URL)
    key = os.environ.get(API_KEY)
    if key and not desk.is_local:
        return OpenAILookup(key, base_url)
    deployment = desk.deployment
    store = SecretStore(desk.aws.secretsmanager, deployment)
    secret = store.read(deployment.settings.secret_prefixes[0])
    return OpenAILookup(openai_key(secret), base_url)


def _ask(lookup: OpenAILookup, checked: Checked, days: int) -> None:
    if not checked.model:
        return
    try:
        model = lookup.model(checked.model)
    except ProcessingError as error:
        checked.problems.append(f"{checked.model}: {error}")
    else:
        check_model(checked, model, datetime.now(UTC).date(), days)
