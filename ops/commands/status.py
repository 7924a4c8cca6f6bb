"""`status` and `watch`: how a channel is, and what to do next."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import count, islice
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from ops.advice import next_steps
from ops.command import command, told
from ops.desk import Desk
from ops.screen import Screen
from ops.sight import Sight, look

Hours = Annotated[float, typer.Option("--hours", min=0.1, help="How far back outcomes go.")]
Every = Annotated[float, typer.Option("--every", min=0.2, help="Seconds between two looks.")]
Times = Annotated[int, typer.Option("--times", min=0, help="How often; 0 until Ctrl-C.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "status")(status)
    command(app, "watch")(watch)


def status(desk: Desk, hours: Hours = 3) -> None:
    """Where messages wait, what became of the last hours', which alarms are on, what to do next.

    python -m ops status --env prod
    python -m ops status --local --hours 1 --json
    """
    _show(desk.screen, look(desk.deployment, hours, desk.clock()))


def watch(desk: Desk, hours: Hours = 3, every: Every = 5, times: Times = 0) -> None:
    """The same again and again, until Ctrl-C, whatever AWS says meanwhile.

    With --json one document after the other.

    python -m ops watch --env prod
    python -m ops watch --local --every 1
    """
    for number in islice(count(), times or None):
        if number:
            time.sleep(every)
        with _outlived(desk.screen) if number else nullcontext():
            sight = look(desk.deployment, hours, desk.clock())
            if desk.screen.console.is_terminal:
                desk.screen.console.clear()
            _show(desk.screen, sight)


@contextmanager
def _outlived(screen: Screen) -> Iterator[None]:
    """Tell of AWS's trouble, and go on: once a look went well, the next one may again."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        screen.error(f"{told(error)}; looking again")


def _show(screen: Screen, sight: Sight) -> None:
    steps = list(next_steps(sight))
    screen.result({**sight.document(), "next": steps})
    screen.heading("queue")
    screen.fields(
        {
            "waiting": sight.waiting,
            "in flight or in backoff": sight.in_flight,
            "oldest": _duration(sight.oldest_seconds),
            "dead letters": sight.dead_letters,
            "mapping": sight.mapping,
        }
    )
    screen.heading(f"deliveries of the last {sight.hours:g} h")
    screen.fields({_words(name): number for name, number in sight.outcomes.items()})
    screen.heading(f"alarms: {len(sight.alarming)} of {len(sight.alarms)} are on")
    if sight.alarming:
        screen.rows([{"alarm": alarm.name, "since": alarm.since} for alarm in sight.alarming])
    screen.steps(steps or ["nothing needs you"])


def _words(metric: str) -> str:
    return metric.removeprefix("Messages").lower()


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
