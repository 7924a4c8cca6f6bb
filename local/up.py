"""`make local`: keep the local cloud running and show what happens in it."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from local import paths
from local.aws import Aws
from local.channel import deployed_channels
from local.cloud import LocalCloud
from local.contexts import EXAMPLE
from local.deployment import default_project
from local.emulator.function_logs import LogLine
from local.emulator.ministack import AWS_LOG, map_connection_errors
from local.errors import LocalCloudError
from local.screen import Screen
from local.vendors import RealVendors, select_vendors
from ops.endpoints import LocalCloudState

WORKDIR = paths.CACHE / "up"
"""The directory of the parts' logs."""
STATE_FILE = paths.CACHE / "running.json"
"""Read by `local send` and by the operator's tool (`ops.endpoints`)."""

POLL_SECONDS = 0.5
ID_FIELDS = (
    *("conversation_id", "message_sid", "failure_code", "failure_step"),
    *("reported_status", "delivery_error_code", "reason"),
)
DISTINCT_FIELDS = ("sqs_message_id", "event", "failure_code")
STYLES = {"INFO": "", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


def up(screen: Screen, environment: Mapping[str, str]) -> None:
    """Run the local cloud until the process is interrupted.

    Args:
        screen: where events are shown.
        environment: the process environment, which may contain the vendors' credentials.

    Raises:
        LocalCloudError: one is running already, the credentials are incomplete, or it could not be
            started.
        KeyboardInterrupt: at the end, once everything is stopped.
    """
    if running := LocalCloudState.find(STATE_FILE):
        raise LocalCloudError(f"a local cloud is running already, in process {running.pid}")
    vendors = select_vendors(environment)
    with (
        LocalCloud(vendors, workdir=WORKDIR, step=screen.step) as cloud,
        state_file(cloud, STATE_FILE),
    ):
        _show_endpoints(screen, cloud)
        monitor = EventMonitor(cloud, screen)
        while True:
            monitor.show_new()
            time.sleep(POLL_SECONDS)


def request_lookups(screen: Screen) -> None:
    """Run the scheduled jobs of the local cloud in another terminal, with all lookups due.

    Args:
        screen: where the number of lookups is shown.

    Raises:
        LocalCloudError: none is running, or a job failed.
    """
    running = LocalCloudState.find(STATE_FILE)
    if running is None:
        raise LocalCloudError("no local cloud is running: start one with `make local`")
    with map_connection_errors(WORKDIR / AWS_LOG):
        aws = Aws(running.endpoint, running.account, running.region)
        for name, channel in deployed_channels(aws, default_project()).items():
            screen.say(f"{name}: {channel.request_lookups()} lookups at the vendor are due")


@contextmanager
def state_file(cloud: LocalCloud, path: Path) -> Iterator[None]:
    """Let commands in other terminals find a local cloud for the length of a `with` block."""
    inbox, is_real = cloud.vendors.inbox, isinstance(cloud.vendors, RealVendors)
    state = LocalCloudState(
        pid=os.getpid(),
        endpoint=cloud.aws.endpoint,
        account=cloud.aws.account,
        region=cloud.aws.region,
        inboxes=list(inbox.origins) if inbox else [],
        has_real_vendors=is_real,
        base_urls={} if is_real else cloud.vendors.function_environment(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(state)), "utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


class EventMonitor:
    """Shows new events of a local cloud: log events, messages, dead letters and alarms.

    Args:
        cloud: the local cloud.
        screen: where they are shown.
    """

    def __init__(self, cloud: LocalCloud, screen: Screen) -> None:
        self._cloud = cloud
        self._screen = screen
        self._read_lines: Counter[str] = Counter()
        self._shown_events: set[tuple[object, ...]] = set()
        self._shown_messages: set[str] = set()
        self._dead_letters: Counter[str] = Counter()
        self._alerts = 0
        self._alarms: set[str] = set()

    def show_new(self) -> None:
        """Show what has happened since the last call."""
        self._show_log_events()
        self._show_messages()
        self._show_dead_letters()
        self.show_alerts()

    def _show_log_events(self) -> None:
        """Show the functions' events about messages, each once however often it is logged."""
        for log, line in self._new_log_lines():
            fields = line.fields
            if line.failed_start and (log, line.failed_start) not in self._shown_events:
                self._shown_events.add((log, line.failed_start))
                self._screen.say(f"ERROR    {log} cannot start: {line.failed_start}", "red")
            event = tuple(fields.get(name) for name in DISTINCT_FIELDS)
            if "sqs_message_id" in fields and event not in self._shown_events:
                self._shown_events.add(event)
                level = fields["level"]
                ids = "  ".join(f"{name}={fields[name]}" for name in ID_FIELDS if fields.get(name))
                self._screen.say(f"{level:8} {fields['event']}  {ids}", STYLES.get(level, ""))

    def _new_log_lines(self) -> Iterator[tuple[str, LogLine]]:
        for name, channel in self._cloud.channels.items():
            logs = {name: channel.log(), f"delivery of {name}": channel.delivery_log()}
            for log, lines in logs.items():
                yield from ((log, line) for line in lines[self._read_lines[log] :])
                self._read_lines[log] = len(lines)

    def _show_messages(self) -> None:
        inbox = self._cloud.vendors.inbox
        for address, messages in (inbox.all() if inbox else {}).items():
            new = [message for message in messages if message.sid not in self._shown_messages]
            if new:
                self._screen.inbox(address, new)
            self._shown_messages.update(message.sid for message in new)

    def _show_dead_letters(self) -> None:
        for name, channel in self._cloud.channels.items():
            count = len(channel.dead_letters())
            if count > self._dead_letters[name]:
                self._screen.say(
                    f"DEAD     the dead-letter queue of {name} contains {count}", "red"
                )
            self._dead_letters[name] = count

    def show_alerts(self) -> None:
        """Show alarms that went off or ended, but not their initial state OK."""
        alerts = self._cloud.alerts.all_alerts()
        new, self._alerts = alerts[self._alerts :], len(alerts)
        for alert in new:
            if alert.is_alarm:
                self._alarms.add(alert.alarm)
                self._screen.say(f"ALARM    {alert.subject}: {alert.description}", "magenta")
            elif alert.alarm in self._alarms:
                self._alarms.remove(alert.alarm)
                self._screen.say(f"OK       {alert.subject}", "magenta")


def _show_endpoints(screen: Screen, cloud: LocalCloud) -> None:
    screen.heading("The local cloud is running; press Ctrl-C to stop it")
    example = EXAMPLE.relative_to(paths.ROOT)
    screen.say(f"in another terminal: make send CONTEXT={example}")
    screen.say(f"embedded AWS at {cloud.aws.endpoint}", "dim")
    for name, channel in cloud.channels.items():
        screen.say(f"queue of {name}: {channel.resources.queue_url}", "dim")
    screen.say("events:", "dim")
