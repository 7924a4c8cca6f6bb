"""The commands of the local cloud."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from local.demo.run import run
from local.errors import LocalCloudError
from local.fault_injection import FaultControl, FaultRequest, rule, show_active, show_known
from local.preview import preview as preview_context
from local.screen import Screen
from local.send import send as send_context
from local.up import check_vendors, request_lookups, require_running_cloud
from local.up import up as keep_running
from ops.console import CommandGroup

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Run the app on an embedded AWS, with fakes of its vendors, on this machine only.",
)

INTERRUPTED = 130  # the shells' exit code for Ctrl-C
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@app.command()
def demo() -> None:
    """Show messages being sent, failing and recovering; every claim is checked."""
    screen = Screen()
    with _clean_exit(screen):
        raise typer.Exit(run(screen))


@app.command()
def up() -> None:
    """Keep the local cloud running until Ctrl-C, and show what happens in it."""
    screen = Screen()
    with _clean_exit(screen, interrupted=0):
        keep_running(screen, os.environ)


@app.command()
def send(
    context: Annotated[str, typer.Argument(help="File with a context object, JSON.")] = "",
    new: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--new", help="Send it with a new conversation id and request id.")
    ] = False,
) -> None:
    """Send a context object through the local cloud and show its outcome."""
    screen = Screen()
    path = Path(context) if context else None
    with _clean_exit(screen):
        raise typer.Exit(send_context(path, screen, os.environ, is_new=new))


@app.command()
def preview(
    context: Annotated[str, typer.Argument(help="File with a context object, JSON.")] = "",
) -> None:
    """Show what the AI would write for a context object; nothing is sent and nothing recorded."""
    screen = Screen()
    path = Path(context) if context else None
    with _clean_exit(screen):
        raise typer.Exit(preview_context(path, screen, os.environ))


@app.command()
def lookups() -> None:
    """Let all scheduled lookups of `up` be due, and run the scheduled jobs now."""
    screen = Screen()
    with _clean_exit(screen):
        request_lookups(screen)


@app.command("check-vendors")
def check_vendors_now() -> None:
    """Check now, in `up`, which models and templates the vendors retire."""
    screen = Screen()
    with _clean_exit(screen):
        check_vendors(screen)


@app.command()
def fail(
    target: Annotated[str, typer.Argument(help="twilio, openai, ses or aws (DynamoDB).")] = "",
    fault: Annotated[str, typer.Argument(help="A fault of the target; see --list.")] = "",
    value: Annotated[str, typer.Argument(help="What the fault needs, such as seconds.")] = "",
    *,
    contains: Annotated[
        str,
        typer.Option(
            "--for",
            help="Only requests about one message: the phone number (twilio), the conversation id"
            " (openai), the address (ses), any of these (aws).",
        ),
    ] = "",
    requests: Annotated[
        str,
        typer.Option(
            help="Only one group of requests: sends, lookups or all (twilio), answers or all"
            " (openai), all or an operation such as UpdateItem (aws). Default: the first of these."
        ),
    ] = "",
    times: Annotated[
        int | None, typer.Option(min=1, help="Number of requests that fail. Default: until healed.")
    ] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of the requests.")] = 1.0,
    takes_effect: Annotated[
        bool,
        typer.Option("--takes-effect", help="The request takes effect; only its response fails."),
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List all faults, or a target's.")] = False,
) -> None:
    """Let a fake or DynamoDB fail, until `heal`; without arguments, show the active faults.

    Examples:
        python -m local fail twilio 21606 --for +447700900123
        python -m local fail openai slow 30 --times 1
        python -m local fail twilio reset --takes-effect --times 1
        python -m local fail aws throttled --requests UpdateItem --share 0.5
    """
    screen = Screen()
    with _clean_exit(screen):
        if list_:
            show_known(screen, target)
        elif target and fault:
            request = FaultRequest(
                target=target,
                fault=fault,
                value=value,
                contains=contains,
                requests=requests,
                times=times,
                share=share,
                takes_effect=takes_effect,
            )
            document = rule(request)
            control = FaultControl(require_running_cloud(screen).fakes)
            control.add(target, document)
            show_active(screen, control)
        elif target:
            raise LocalCloudError(f"name a fault: `python -m local fail --list {target}` has all")
        else:
            show_active(screen, FaultControl(require_running_cloud(screen).fakes))


@app.command()
def heal(
    target: Annotated[str, typer.Argument(help="twilio, openai, ses or aws. Default: all.")] = "",
) -> None:
    """Remove the faults of the running local cloud."""
    screen = Screen()
    with _clean_exit(screen):
        number = FaultControl(require_running_cloud(screen).fakes).remove(target)
        screen.say(f"{number} faults removed" if number != 1 else "1 fault removed")


@contextmanager
def _clean_exit(screen: Screen, interrupted: int = INTERRUPTED) -> Iterator[None]:
    """Stop everything on a signal, and report expected errors in one message."""
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    except LocalCloudError as error:
        screen.error(str(error))
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        screen.say("interrupted: everything is stopped")
        raise typer.Exit(interrupted) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, and ignore further signals so that stopping is not interrupted."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    signal.default_int_handler(number, frame)
