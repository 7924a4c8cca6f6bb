"""What every command has: where it looks, how it shows things, and an orderly end."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.core.errors import ProcessingError
from lambda_src.core.settings import ConfigurationError
from ops.desk import Desk
from ops.errors import Declined, OperatorError
from ops.screen import UNCHANGED, Screen

INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C
HERE = "Where"
NOBODY = "nobody answered: add --yes to go on without being asked, or --dry-run to look"

Environment = Annotated[
    str, typer.Option("--env", envvar="OPS_ENV", help="The environment.", rich_help_panel=HERE)
]
Channel = Annotated[
    str,
    typer.Option("--channel", envvar="OPS_CHANNEL", help="The channel.", rich_help_panel=HERE),
]
Local = Annotated[
    bool,
    typer.Option(
        "--local", help="The local cloud of `make local`, instead of AWS.", rich_help_panel=HERE
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")]

Why = Annotated[str, typer.Option("--reason", help="Why: it stands in the record's audit line.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and stop.")]
Recipient = Annotated[
    str, typer.Option("--recipient", help="Whom it is with; spares reading the whole table.")
]
ShowPersonalData = Annotated[
    bool, typer.Option("--show-personal-data", help="Do not mask names, numbers and texts.")
]

COMMON = {
    "environment": (Environment, "dev"),
    "channel": (Channel, "whatsapp"),
    "is_local": (Local, False),
    "as_json": (AsJson, False),
}


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a function to an app as a command; its first parameter is the desk.

    The options that all commands share are added to its own.
    """

    def add(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(
            *arguments: Any,
            environment: str,
            channel: str,
            is_local: bool,
            as_json: bool,
            **own: Any,
        ) -> None:
            screen = Screen(as_json=as_json)
            with orderly_end(screen):
                function(Desk(environment, channel, is_local, screen), *arguments, **own)

        run.__signature__ = _with_common(function)  # type: ignore[attr-defined]  # read by typer
        return app.command(name)(run)

    return add


@contextmanager
def orderly_end(screen: Screen) -> Iterator[None]:
    """Turn foreseen errors into one message and an exit code; never a traceback with data in it."""
    try:
        yield
    except Declined as declined:
        screen.note(str(declined))
        raise typer.Exit(1) from None
    except (OperatorError, ConfigurationError) as error:
        screen.error(str(error))
        raise typer.Exit(1) from None
    except (ProcessingError, ClientError, BotoCoreError) as error:
        screen.error(told(error))
        if screen.aftermath != UNCHANGED:
            screen.note(screen.aftermath)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise _interrupted(screen) from None
    except typer.Abort as abort:
        # At a question the library makes the same of Ctrl-C and of the input's end.
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise _interrupted(screen) from None
        screen.error(NOBODY)
        raise typer.Exit(1) from None


def _interrupted(screen: Screen) -> typer.Exit:
    screen.note(f"interrupted: {screen.aftermath}")
    return typer.Exit(INTERRUPTED)


def told(error: ProcessingError | ClientError | BotoCoreError) -> str:
    """What an error of the ledger, of AWS or on the way there says to a person."""
    if isinstance(error, ClientError):
        return f"AWS refuses {error.operation_name}: {error.response['Error']['Code']}"
    if isinstance(error, BotoCoreError):
        return f"AWS cannot be asked: {type(error).__name__}: {error}"
    return str(error)


def _with_common(function: Callable[..., None]) -> inspect.Signature:
    _, *own = inspect.signature(function, eval_str=True).parameters.values()
    common = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
        )
        for name, (annotation, default) in COMMON.items()
    ]
    return inspect.Signature([*own, *common])
