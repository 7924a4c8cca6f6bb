"""`make local`: the local cloud, kept running, with what happens in it."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from local import paths
from local.contexts import EXAMPLE
from local.errors import LocalCloudError
from local.function_logs import LogLine
from local.running import WORKDIR, Running, announced, find_running
from local.screen import Screen
from local.send import chosen_vendors
from local.vendors import Vendors
from local.world import World

POLL_SECONDS = 0.5
IDS = ("conversation_id", "message_sid", "failure_code", "failure_step")
SAYING = ("sqs_message_id", "event", "failure_code")
STYLES = {"INFO": "", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


def up(screen: Screen, environment: Mapping[str, str]) -> None:
    """Run the local cloud until the process is interrupted.

    Args:
        screen: where what happens is shown.
        environment: the process environment, which may hold the vendors' credentials.

    Raises:
        LocalCloudError: one runs already, the credentials are incomplete, or it could not be set
            up.
        KeyboardInterrupt: at the end, once everything is stopped.
    """
    if running := find_running():
        raise LocalCloudError(f"a local cloud runs already, in process {running.pid}")
    vendors = chosen_vendors(environment)
    with (
        World(vendors, workdir=WORKDIR, step=screen.step) as world,
        announced(_announcement(world, vendors)),
    ):
        _greet(screen, world)
        Watch(world, screen).forever()


class Watch:
    """Shows what happens in a local cloud as it happens.

    Args:
        world: the local cloud.
        screen: where it is shown.
    """

    def __init__(self, world: World, screen: Screen) -> None:
        self._world = world
        self._screen = screen
        self._seen_lines: Counter[str] = Counter()
        self._shown_events: set[tuple[object, ...]] = set()
        self._shown_messages: set[str] = set()
        self._dead_letters: Counter[str] = Counter()
        self._alerts = 0
        self._alarming: set[str] = set()

    def forever(self) -> None:
        """Look again and again."""
        while True:
            self.look()
            time.sleep(POLL_SECONDS)

    def look(self) -> None:
        """Show what is new."""
        for fields in self._new_events():
            self._show_event(fields)
        self._show_new_messages()
        self._show_dead_letters()
        self._show_alerts()

    def _new_events(self) -> Iterator[dict[str, Any]]:
        """What the function newly says of messages, each thing once however often it is said."""
        for fields in (line.fields for line in self._new_lines()):
            event = tuple(fields.get(name) for name in SAYING)
            if "sqs_message_id" in fields and event not in self._shown_events:
                self._shown_events.add(event)
                yield fields

    def _new_lines(self) -> Iterator[LogLine]:
        for name, channel in self._world.channels.items():
            lines = channel.log()
            yield from lines[self._seen_lines[name] :]
            self._seen_lines[name] = len(lines)

    def _show_event(self, fields: dict[str, Any]) -> None:
        level = fields["level"]
        ids = "  ".join(f"{name}={fields[name]}" for name in IDS if name in fields)
        self._screen.say(f"{level:8} {fields['event']}  {ids}", STYLES.get(level, ""))

    def _show_dead_letters(self) -> None:
        for name, channel in self._world.channels.items():
            count = channel.dead_letter_count()
            if count > self._dead_letters[name]:
                self._screen.say(
                    f"DEAD     the dead-letter queue of {name} holds {count} now", "red"
                )
            self._dead_letters[name] = count

    def _show_alerts(self) -> None:
        """What the topic's subscriber is told; that an alarm begins as OK is no news."""
        alerts = self._world.alerts.all_alerts()
        new, self._alerts = alerts[self._alerts :], len(alerts)
        for alert in new:
            if alert.wakes:
                self._alarming.add(alert.alarm)
                self._screen.say(f"ALARM    {alert.subject}: {alert.description}", "magenta")
            elif alert.alarm in self._alarming:
                self._alarming.remove(alert.alarm)
                self._screen.say(f"OVER     {alert.subject}", "magenta")

    def _show_new_messages(self) -> None:
        phones = self._world.vendors.phones
        for number, messages in (phones.all() if phones else {}).items():
            new = [message for message in messages if message.sid not in self._shown_messages]
            if new:
                self._screen.phone(number, new)
            self._shown_messages.update(message.sid for message in new)


def _announcement(world: World, vendors: Vendors) -> Running:
    is_stand_in = vendors.phones is not None
    return Running(
        os.getpid(),
        world.aws.endpoint,
        world.aws.account,
        world.aws.region,
        vendors.phones.origin if vendors.phones else None,
        vendors.function_environment() if is_stand_in else {},
    )


def _greet(screen: Screen, world: World) -> None:
    screen.heading("The local cloud is running; Ctrl-C stops it")
    example = EXAMPLE.relative_to(paths.ROOT)
    screen.say(f"in another terminal: make send CONTEXT={example}")
    screen.say(f"embedded AWS at {world.aws.endpoint}", "dim")
    for name, channel in world.channels.items():
        screen.say(f"queue of {name}: {channel.resources.queue_url}", "dim")
    screen.say("here follows what happens", "dim")
