"""The local cloud's commands: demo, up, send, lookups."""

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
from local.screen import Screen
from local.send import send as send_context
from local.up import request_lookups
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
) -> None:
    """Send a context object through the local cloud and show its outcome."""
    screen = Screen()
    with _clean_exit(screen):
        raise typer.Exit(send_context(Path(context) if context else None, screen, os.environ))


@app.command()
def lookups() -> None:
    """Let all scheduled lookups of `up` be due, and run the scheduled jobs now."""
    screen = Screen()
    with _clean_exit(screen):
        request_lookups(screen)


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
