"""Everything that a command needs: the session, the console, common options, error handling."""

import functools
import inspect
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.core import ConfigurationError, ProcessingError, RejectedContext
from ops import INTERRUPTED
from ops.console import MASK, UNCHANGED, Console, NextStep, mask_recipient, mask_record
from ops.errors import Declined, OperatorError
from ops.session import PROJECT, Session

__all__ = [
    "MASK",
    "Console",
    "DryRun",
    "NextStep",
    "OperatorError",
    "Reason",
    "Recipient",
    "Session",
    "ShowPersonalData",
    "Yes",
    "command",
    "describe",
    "mask_recipient",
    "mask_record",
    "require_reason",
    "show_problems",
]

END_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
TARGET_PANEL = "Target"
NO_ANSWER = "no answer: add --yes to continue without a question, or --dry-run to look only"

Environment = Annotated[
    str,
    typer.Option("--env", envvar="OPS_ENV", help="The environment.", rich_help_panel=TARGET_PANEL),
]
Project = Annotated[
    str,
    typer.Option(
        "--project",
        envvar="OPS_PROJECT",
        help="The prefix of the stacks' names, for another repository's app.",
        rich_help_panel=TARGET_PANEL,
    ),
]
Parts = Annotated[
    str,
    typer.Option(
        "--parts",
        envvar="OPS_PARTS",
        help="Another repository's channel: the import path of its parts, such as"
        " push_processor.parts:PARTS. By default the entry point of its installed package.",
        rich_help_panel=TARGET_PANEL,
    ),
]
Channel = Annotated[
    str,
    typer.Option(
        "--channel", envvar="OPS_CHANNEL", help="The channel.", rich_help_panel=TARGET_PANEL
    ),
]
Local = Annotated[
    bool,
    typer.Option(
        "--local",
        help="Use the local cloud of `make local` instead of AWS.",
        rich_help_panel=TARGET_PANEL,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

Reason = Annotated[str, typer.Option("--reason", help="Why; stored in the record's audit entry.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and stop.")]
Recipient = Annotated[
    str, typer.Option("--recipient", help="The recipient; avoids a scan of the whole table.")
]
ShowPersonalData = Annotated[
    bool, typer.Option("--show-personal-data", help="Do not mask names, numbers and texts.")
]

COMMON_OPTIONS = {
    "environment": (Environment, "dev"),
    "channel": (Channel, "whatsapp"),
    "project": (Project, PROJECT),
    "import_path": (Parts, ""),
    "is_local": (Local, False),
    "as_json": (AsJson, False),
}
TARGET_OPTIONS = COMMON_OPTIONS.keys() - {"as_json"}


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command; its first parameter is the session.

    The options that all commands share are added to its own.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(
            *arguments: Any,
            context: typer.Context,
            environment: str,
            channel: str,
            project: str,
            import_path: str,
            is_local: bool,
            as_json: bool,
            **options: Any,
        ) -> None:
            console = Console(as_json=as_json)
            with handle_errors(console), end_like_ctrl_c():
                session = Session(
                    environment,
                    channel,
                    is_local,
                    console,
                    project=project,
                    import_path=import_path,
                    target_options=_given(context),
                )
                function(session, *arguments, **options)

        run.__signature__ = _with_common_options(function)  # type: ignore[attr-defined]  # for typer
        return app.command(name)(run)

    return register


@contextmanager
def end_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP of a closed terminal, end a command as Ctrl-C does.

    Without it neither says what was done, nor makes received messages visible again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [each for each in END_SIGNALS if signal.getsignal(each) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def handle_errors(console: Console) -> Iterator[None]:
    """Report expected errors in one message with an exit code, never as a traceback."""
    try:
        yield
    except Declined as declined:
        console.note(str(declined))
        raise typer.Exit(1) from None
    except (OperatorError, ConfigurationError) as error:
        console.error(str(error))
        raise typer.Exit(1) from None
    except (ProcessingError, ClientError, BotoCoreError, UnicodeError) as error:
        console.error(describe(error))
        if console.if_interrupted != UNCHANGED:
            console.note(console.if_interrupted)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise _interrupted(console) from None
    except typer.Abort as abort:
        # At a prompt typer raises Abort for Ctrl-C and for the end of the input.
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise _interrupted(console) from None
        console.error(NO_ANSWER)
        raise typer.Exit(1) from None


def describe(error: ProcessingError | ClientError | BotoCoreError | UnicodeError) -> str:
    """Return the message of an error of the ledger, of AWS, of the connection to it or of input."""
    if isinstance(error, UnicodeError):  # its own message quotes the input
        return "expected an answer in the terminal's encoding, found other bytes"
    if isinstance(error, ClientError):
        return f"AWS refused {error.operation_name}: {error.response['Error']['Code']}"
    if isinstance(error, BotoCoreError):
        return f"AWS cannot be reached: {type(error).__name__}: {error}"
    return str(error)


def show_problems(console: Console, rejected: RejectedContext) -> None:
    """Show every problem of a context object; none of them quotes a value."""
    problems = [
        {"field": each.field, "expected": each.expected, "found": each.found}
        for each in rejected.problems
    ]
    console.result({"code": rejected.code, "problems": problems})
    console.rows(problems)


def require_reason(reason: str) -> None:
    """Check that a reason is given.

    Raises:
        OperatorError: It is empty.
    """
    if not reason.strip():
        raise OperatorError("--reason is empty: it is stored in the audit entry")


def _interrupted(console: Console) -> typer.Exit:
    with suppress(OSError):  # a result that is being written comes before the last line
        console.output.file.flush()
    console.note(f"interrupted: {console.if_interrupted}")
    return typer.Exit(INTERRUPTED)


def _given(context: typer.Context) -> tuple[str, ...]:
    """Return the options of the command line that name the target, for suggested commands.

    Those of environment variables are left out: they apply to a pasted command as well.
    """
    given: list[str] = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in TARGET_OPTIONS and source and source.name == "COMMANDLINE":
            value = context.params[parameter.name]
            given += [parameter.opts[0], *([] if value is True else [value])]
    return tuple(given)


def _with_common_options(function: Callable[..., None]) -> inspect.Signature:
    _, *own = inspect.signature(function, eval_str=True).parameters.values()
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    common = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
        )
        for name, (annotation, default) in COMMON_OPTIONS.items()
    ]
    return inspect.Signature([*own, context, *common])
