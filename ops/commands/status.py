"""`status` and `watch`: the state of a channel, and what to do next."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from itertools import count, islice
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from ops.channel_status import ChannelStatus, read_status
from ops.command import Console, Session, command, describe
from ops.console import duration

Hours = Annotated[float, typer.Option("--hours", min=0.1, help="The period of the outcomes.")]
Every = Annotated[float, typer.Option("--every", min=0.2, help="Seconds between two updates.")]
Times = Annotated[
    int, typer.Option("--times", min=0, help="Number of updates; 0 means until Ctrl-C.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "status")(status)
    command(app, "watch")(watch)


def status(session: Session, hours: Hours = 3) -> None:
    """Show queue depths, recent outcomes and reports, active alarms, and what to do next.

    python -m ops status --env prod
    python -m ops status --local --hours 1 --json
    """
    _show(session, read_status(session.deployment, hours, session.clock()))


def watch(session: Session, hours: Hours = 3, every: Every = 5, times: Times = 0) -> None:
    """Show the status repeatedly, until Ctrl-C; errors of AWS do not end it.

    With --json it prints one document after the other.

    python -m ops watch --env prod
    python -m ops watch --local --every 1
    """
    console = session.console
    for number in islice(count(), times or None):
        if number:
            time.sleep(every)
        # At the first update an error is rather a wrong environment or missing permissions.
        with _report_errors(console) if number else nullcontext():
            channel_status = read_status(session.deployment, hours, session.clock())
            if console.output.is_terminal:
                console.output.clear()
            _show(session, channel_status)


@contextmanager
def _report_errors(console: Console) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        console.error(f"{describe(error)}; trying again")


def _show(session: Session, channel_status: ChannelStatus) -> None:
    console, steps = session.console, list(channel_status.next_steps(session.command_line))
    console.result({**asdict(channel_status), "next": list(map(str, steps))})
    console.heading("queue")
    console.fields(
        {
            "waiting": channel_status.waiting,
            "in flight or in backoff": channel_status.in_flight,
            "oldest": _duration(channel_status.oldest_seconds),
            "dead-letter messages": channel_status.dead_letters,
            "event source mapping": channel_status.mapping,
        }
    )
    console.heading(f"deliveries of the last {duration(channel_status.hours * 3600)}")
    console.fields(_by_outcome(channel_status.outcomes))
    if channel_status.drafts is not None:
        console.heading("drafts that wait for a decision")
        oldest = _duration(channel_status.oldest_draft_seconds)
        console.fields({"waiting": channel_status.drafts, "oldest": oldest})
    if channel_status.events_waiting is not None:
        _show_events(console, channel_status)
    active, alarms = channel_status.active_alarms, channel_status.alarms
    console.heading(f"alarms: {len(active)} of {len(alarms)} active")
    if active:
        console.rows([{"alarm": alarm.name, "since": alarm.since} for alarm in active])
    console.steps(steps or ["nothing to do"])


def _show_events(console: Console, channel_status: ChannelStatus) -> None:
    console.heading(f"delivery status reported in the last {duration(channel_status.hours * 3600)}")
    console.fields(
        {
            **_by_outcome(channel_status.reports),
            "events waiting": channel_status.events_waiting,
            "events in flight or delayed": channel_status.events_in_flight,
            "dead-letter events": channel_status.events_dead_letters,
            "events worker's mapping": channel_status.events_mapping,
            "oldest lookup due for": _duration(channel_status.oldest_lookup_seconds),
        }
    )


def _by_outcome(numbers: Mapping[str, int]) -> dict[str, int]:
    return {name.removeprefix("Messages").lower(): number for name, number in numbers.items()}


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)
