"""The local cloud's commands: demo, up, send."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from local import paths
from local.demo.run import run
from local.errors import LocalCloudError
from local.screen import Screen
from local.send import send as send_context
from local.up import up as keep_up

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="The app on an embedded AWS, with stand-ins for OpenAI and Twilio, on this machine alone.",
)

DASHBOARD_PICTURE = paths.ROOT / "docs" / "dashboard.png"
INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@app.command()
def demo() -> None:
    """Watch messages travel, fail and recover; every claim is checked."""
    screen = Screen()
    with _orderly_end(screen):
        raise typer.Exit(run(screen))


@app.command()
def up() -> None:
    """Keep the local cloud running until Ctrl-C, and show what happens in it."""
    screen = Screen()
    with _orderly_end(screen, interrupted=0):
        keep_up(screen, os.environ)


@app.command()
def send(
    context: Annotated[str, typer.Argument(help="File with a context object, JSON.")] = "",
) -> None:
    """Send a context object through the local cloud and show its outcome."""
    screen = Screen()
    with _orderly_end(screen):
        raise typer.Exit(send_context(Path(context) if context else None, screen, os.environ))


@app.command()
def dashboard(
    picture: Annotated[Path, typer.Argument(help="File to draw into.")] = DASHBOARD_PICTURE,
) -> None:
    """Send messages through the local cloud, and draw what the deployed dashboard shows of them."""
    from local.dashboard.run import run as draw  # noqa: PLC0415 - would slow every other command

    screen = Screen()
    with _orderly_end(screen):
        draw(screen, picture.resolve())


@contextmanager
def _orderly_end(screen: Screen, interrupted: int = INTERRUPTED) -> Iterator[None]:
    """Let signals unwind what was started, and turn foreseen errors into one message."""
    before = {number: signal.signal(number, _interrupt) for number in ENDING_SIGNALS}
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
    """Begin to unwind, and let nothing interrupt the unwinding."""
    for ending in ENDING_SIGNALS:
        signal.signal(ending, signal.SIG_IGN)
    signal.default_int_handler(number, frame)
