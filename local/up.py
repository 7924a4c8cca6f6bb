"""`make local`: keep the local cloud running and show what happens in it."""

import json
import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lambda_src.core.contract import LOG_LEVELS, LogEvent
from local import paths
from local.aws import Aws
from local.channel import deployed_channels
from local.cloud import LocalCloud
from local.contexts import EXAMPLE
from local.deployment import default_project
from local.emulator.function_logs import LogLine
from local.emulator.ministack import AWS_LOG, map_connection_errors
from local.errors import LocalCloudError
from local.fakes import InboxMessage
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
BURST_MESSAGES, BURST_LOOKS = 3, 20
"""More messages than this in this number of looks are a burst."""
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


@dataclass(frozen=True)
class _Event:
    """A log event about a message that is shown.

    Attributes:
        message: what identifies the message.
        fields: the log line's.
        is_report: whether it is about the delivery of a message that was sent.
    """

    message: str
    fields: Mapping[str, Any]
    is_report: bool

    @property
    def level(self) -> str:
        """The log level."""
        return str(self.fields["level"])

    @property
    def style(self) -> str:
        """How it is shown."""
        return STYLES.get(self.level, "")

    @property
    def severity(self) -> int:
        """The level's rank, from 0."""
        return LOG_LEVELS.index(self.level)

    @property
    def is_routine(self) -> bool:
        """Whether it is one of the reports that every delivered message has."""
        return self.is_report and self.severity <= LOG_LEVELS.index("INFO")

    @property
    def line(self) -> str:
        """All that is known about it."""
        ids = "  ".join(
            f"{name}={self.fields[name]}" for name in ID_FIELDS if self.fields.get(name)
        )
        return f"{self.level:8} {self.fields['event']}  {ids}"

    @property
    def short_line(self) -> str:
        """What fits into a terminal's line."""
        event, code = self.fields["event"], self.fields.get("failure_code", "")
        return f"{self.level:8} {event}  {self.message}  {'' if code == event else code}".rstrip()


class EventMonitor:
    """Shows new events of a local cloud: log events, messages, dead letters and alarms.

    While many messages are processed, each has one line, and reports of deliveries are counted.

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
        self._recent = deque([0], maxlen=BURST_LOOKS)
        self._is_burst = False
        self._counted_dead_letters: Counter[str] = Counter()
        self._shown_dead_letters: Counter[str] = Counter()
        self._alerts = 0
        self._alarms: set[str] = set()

    def show_new(self) -> None:
        """Show what has happened since the last call."""
        events, inboxes = list(self._new_events()), self._new_messages()
        in_events = len({event.message for event in events})
        self._recent.append(max(in_events, sum(map(len, inboxes.values()))))
        self._recognize_burst()
        if self._is_burst:
            self._show_burst(events)
        else:
            for event in events:
                self._screen.say(event.line, event.style)
            for address, messages in inboxes.items():
                self._screen.inbox(address, messages)
        self._show_dead_letters()
        self._show_alerts()

    def _recognize_burst(self) -> None:
        was_burst, self._is_burst = self._is_burst, sum(self._recent) > BURST_MESSAGES
        if self._is_burst and not was_burst:
            self._screen.say("many messages: one line for each, and no texts", "dim")

    def _show_burst(self, events: Sequence[_Event]) -> None:
        """Show the most severe event of each message, the latest of several."""
        main: dict[str, _Event] = {}
        for event in events:
            before = main.get(event.message)
            if not event.is_routine and (not before or event.severity >= before.severity):
                main[event.message] = event
        for event in main.values():
            self._screen.line(event.short_line, event.style)
        reports = Counter(
            event.fields.get("reported_status") for event in events if event.is_routine
        )
        if reports:
            counts = ", ".join(f"{count} {status or 'other'}" for status, count in reports.items())
            self._screen.line(f"{'INFO':8} {LogEvent.DELIVERY_RECORDED}  {counts}")

    def _new_events(self) -> Iterator[_Event]:
        """Yield the functions' events about messages, each once however often it is logged."""
        for name, channel in self._cloud.channels.items():
            logs = {name: channel.log(), f"delivery of {name}": channel.delivery_log()}
            for log, lines in logs.items():
                new = lines[self._read_lines[log] :]
                self._read_lines[log] = len(lines)
                yield from self._events(log, new, is_report=log != name)

    def _events(self, log: str, lines: Sequence[LogLine], *, is_report: bool) -> Iterator[_Event]:
        for line in lines:
            fields = line.fields
            if line.failed_start and self._is_new(log, line.failed_start):
                self._screen.say(f"ERROR    {log} cannot start: {line.failed_start}", "red")
            if "sqs_message_id" in fields and self._is_new(*map(fields.get, DISTINCT_FIELDS)):
                message = fields.get("conversation_id") or fields["sqs_message_id"]
                yield _Event(message, fields, is_report)

    def _is_new(self, *event: object) -> bool:
        is_new = event not in self._shown_events
        self._shown_events.add(event)
        return is_new

    def _new_messages(self) -> dict[str, list[InboxMessage]]:
        """Return the messages that recipients have received since the last call, by address."""
        inbox = self._cloud.vendors.inbox
        found = {
            address: [message for message in messages if message.sid not in self._shown_messages]
            for address, messages in (inbox.all() if inbox else {}).items()
        }
        self._shown_messages.update(message.sid for new in found.values() for message in new)
        return {address: new for address, new in found.items() if new}

    def _show_dead_letters(self) -> None:
        """Show how many there are once no more arrive, so that many arrivals are one line."""
        for name, channel in self._cloud.channels.items():
            count, shown = len(channel.dead_letters()), self._shown_dead_letters[name]
            still_arriving = count > self._counted_dead_letters[name]
            self._counted_dead_letters[name] = count
            if count > shown and not still_arriving:
                self._screen.say(
                    f"DEAD     the dead-letter queue of {name} contains {count}", "red"
                )
            if count < shown or not still_arriving:
                self._shown_dead_letters[name] = count

    def _show_alerts(self) -> None:
        """Show alarms that went off or ended, but not their initial state OK."""
        alerts = self._cloud.alerts.all_alerts()
        new, self._alerts = alerts[self._alerts :], len(alerts)
        for alert in new:
            if alert.is_alarm:
                self._alarms.add(alert.alarm)
                self._screen.say(f"ALARM    {alert.alarm}: {alert.description}", "magenta")
            elif alert.alarm in self._alarms:
                self._alarms.remove(alert.alarm)
                self._screen.say(f"OK       {alert.alarm}", "magenta")


def _show_endpoints(screen: Screen, cloud: LocalCloud) -> None:
    screen.heading("The local cloud is running; press Ctrl-C to stop it")
    example = EXAMPLE.relative_to(paths.ROOT)
    screen.say(f"in another terminal: make send CONTEXT={example}")
    screen.say(f"embedded AWS at {cloud.aws.endpoint}", "dim")
    for name, channel in cloud.channels.items():
        screen.say(f"queue of {name}: {channel.resources.queue_url}", "dim")
    screen.say("events:", "dim")
