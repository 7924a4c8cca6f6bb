"""`make local`: keep the local cloud running and show what happens in it."""

import fcntl
import json
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from lambda_src.core.contract import LOG_LEVELS, LogEvent
from local import paths
from local.aws import Aws
from local.channel import deployed_channels
from local.cloud import LocalCloud
from local.console import web_console
from local.contexts import EXAMPLE
from local.deployment import SourceWatch, default_project
from local.emulator.feed import Changes
from local.emulator.function_logs import LogLine
from local.emulator.ministack import AWS_LOG, map_connection_errors
from local.errors import LocalCloudError
from local.fakes import InboxMessage
from local.fault_injection import AWS
from local.lifecycle import wait_for
from local.screen import Screen
from local.vendors import (
    InboxPosition,
    RealVendors,
    assistant_definitions,
    select_vendors,
)
from ops.endpoints import LocalCloudState

WORKDIR = paths.CACHE / "up"
"""The directory of the parts' logs."""
STATE_FILE = paths.CACHE / "running.json"
"""Read by `local send` and by the operator's tool (`ops.endpoints`)."""

AWS_PORT = 4566
"""The one that other emulators of AWS use, too; the proxy of DynamoDB has the next one."""
PORTS = {"openai": 4568, "twilio": 4569, "ses": 4570}
"""Of the fakes; another one is used where one is not free."""
START_SECONDS = 300
"""Longer than a start takes, the synthesis included, on a busy machine."""
LOCK_SECONDS = 2
POLL_SECONDS = 0.5
ID_FIELDS = (
    *("conversation_id", "message_sid", "failure_code", "failure_step"),
    *("reported_status", "delivery_error_code", "reason"),
)
DISTINCT_FIELDS = ("sqs_message_id", "event", "failure_code")
BURST_MESSAGES, BURST_LOOKS = 3, 20
"""More messages than this in this number of looks are a burst."""
KEPT_EVENTS = 10_000
"""Log events that are recognized when they are logged again."""
KEPT_REQUESTS = 500
"""Of each fake, besides the faults: tests in one process keep all."""
KEPT_MESSAGES = {"openai": 1_000}
"""Conversations; a message needs its own only until it is sent."""
MOST_MESSAGES = 50_000
STYLES = {"INFO": "", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


def up(screen: Screen, environment: Mapping[str, str]) -> None:
    """Run the local cloud until the process is interrupted.

    Args:
        screen: where events are shown.
        environment: the process environment, which may contain the vendors' credentials.

    Raises:
        LocalCloudError: one is running or being started already, or it could not be started.
        KeyboardInterrupt: at the end, once everything is stopped.
    """
    sources = SourceWatch(default_project())
    with (
        exclusive_lock(),
        _cloud(screen, environment) as cloud,
        state_file(cloud, STATE_FILE),
        web_console(cloud, screen),
    ):
        for channel in cloud.channels.values():
            channel.start_scheduled_jobs()  # alarms last until their first run
        _show_endpoints(screen, cloud)
        monitor = EventMonitor(cloud, screen)
        while True:
            show_source_changes(screen, sources)
            for _ in range(2):
                monitor.show_new()
                time.sleep(POLL_SECONDS)


def show_source_changes(screen: Screen, sources: SourceWatch) -> None:
    """Show that changed sources are not deployed, and what is wrong with changed assistants."""
    if changed := sources.changed():
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        restart = "press Ctrl-C and run `make local` again to deploy the change"
        screen.say(f"CHANGED  {changed[0]}{more}: {restart}", "yellow")
        if any(name.endswith(".toml") for name in changed):
            try:
                assistant_definitions()
            except LocalCloudError as error:
                for problem in str(error).splitlines():
                    screen.say(f"INVALID  {problem}", "red")


def request_lookups(screen: Screen) -> None:
    """Run the scheduled jobs of the local cloud in another terminal, with all lookups due.

    Args:
        screen: where the number of lookups is shown.

    Raises:
        LocalCloudError: none is running, or a job failed.
    """
    running = require_running_cloud(screen)
    with map_connection_errors(WORKDIR / AWS_LOG):
        aws = Aws(running.endpoint, running.account, running.region)
        for name, channel in deployed_channels(aws, default_project()).items():
            screen.say(f"{name}: {channel.request_lookups()} lookups at the vendor are due")


def check_vendors(screen: Screen) -> None:
    """Run the checks of what vendors retire in the local cloud in another terminal.

    Args:
        screen: where the checked channels are shown.

    Raises:
        LocalCloudError: none is running, or a check failed.
    """
    running = require_running_cloud(screen)
    with map_connection_errors(WORKDIR / AWS_LOG):
        aws = Aws(running.endpoint, running.account, running.region)
        for name, channel in deployed_channels(aws, default_project()).items():
            if channel.check_vendors():
                screen.say(f"{name}: models and templates are checked; its log has the findings")


def require_running_cloud(screen: Screen) -> LocalCloudState:
    """Return the local cloud of another terminal, as soon as it has been started.

    Raises:
        LocalCloudError: none is running.
    """
    running = find_running_cloud(screen)
    if running is None:
        raise LocalCloudError("no local cloud is running: start one with `make local`")
    return running


def find_running_cloud(screen: Screen) -> LocalCloudState | None:
    """Return the local cloud of another terminal; one that is being started is waited for."""
    found = LocalCloudState.find(STATE_FILE)
    if found is None and _is_locked():
        with screen.step("wait for the local cloud that is being started in another terminal"):
            wait_for(lambda: LocalCloudState.find(STATE_FILE) or not _is_locked(), START_SECONDS)
        found = LocalCloudState.find(STATE_FILE)
    return found


@contextmanager
def exclusive_lock() -> Iterator[None]:
    """Hold the lock of the one process that starts or keeps running a local cloud.

    Raises:
        LocalCloudError: another process holds it.
    """
    if running := LocalCloudState.find(STATE_FILE):
        raise LocalCloudError(f"a local cloud is running already, in process {running.pid}")
    with _lock_file() as lock:
        # Longer than `_is_locked` of another process holds it.
        if not wait_for(lambda: _acquire(lock), LOCK_SECONDS):
            raise LocalCloudError("a local cloud is being started already")
        yield


def _is_locked() -> bool:
    with _lock_file() as lock:
        return not _acquire(lock)


def _lock_file() -> IO[bytes]:
    path = STATE_FILE.with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def _acquire(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _cloud(screen: Screen, environment: Mapping[str, str]) -> LocalCloud:
    """Return a local cloud whose ports are the same at each start, as far as they are free.

    It may run for days, so its fakes forget old requests and messages.
    """
    vendors = select_vendors(environment, screen)
    for name, fake in vendors.by_name().items():
        fake.prefer_port(PORTS.get(name, 0))
    cloud = LocalCloud(vendors, workdir=WORKDIR, step=screen.step, port=AWS_PORT)
    for name, fake in {**cloud.fakes, "operators": cloud.operator_proxy}.items():
        fake.limit_history(KEPT_REQUESTS, KEPT_MESSAGES.get(name, MOST_MESSAGES))
    return cloud


@contextmanager
def state_file(cloud: LocalCloud, path: Path) -> Iterator[None]:
    """Let commands in other terminals find a local cloud for the length of a `with` block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(cloud.state())), "utf-8")
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
        self._logs = [
            (name if position == 0 else f"delivery of {name}", position > 0, reader)
            for name, channel in cloud.channels.items()
            for position, reader in enumerate(channel.log_readers({}))
        ]
        self._dropped_lines = 0
        self._shown_events: dict[int, None] = {}
        self._inbox_position: InboxPosition = ()
        self._recent = deque([0], maxlen=BURST_LOOKS)
        self._is_burst = False
        self._counted_dead_letters: Counter[str] = Counter()
        self._shown_dead_letters: Counter[str] = Counter()
        self._alerts = 0
        self._alarms: set[str] = set()

    def show_new(self) -> None:
        """Show what has happened since the last call."""
        changes = self._cloud.feed.changes()
        events, inboxes = list(self._new_events(changes)), self._new_messages()
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
        self._show_dropped_lines()
        self._show_dead_letters(changes)
        self._show_alerts(changes)

    def _recognize_burst(self) -> None:
        was_burst, self._is_burst = self._is_burst, sum(self._recent) > BURST_MESSAGES
        if self._is_burst and not was_burst:
            self._screen.say("many messages: one line for each, and no texts", "dim")

    def _show_burst(self, events: Sequence[_Event]) -> None:
        """Show the most severe event of each message, the latest of several.

        Further deliveries of a message that has ended are not shown.
        """
        main: dict[str, _Event] = {}
        for event in events:
            before = main.get(event.message)
            is_shown = not event.is_routine and event.fields["event"] != LogEvent.ALREADY_ENDED
            if is_shown and (not before or event.severity >= before.severity):
                main[event.message] = event
        for event in main.values():
            self._screen.line(event.short_line, event.style)
        reports = Counter(
            event.fields.get("reported_status") for event in events if event.is_routine
        )
        if reports:
            counts = ", ".join(f"{count} {status or 'other'}" for status, count in reports.items())
            self._screen.line(f"{'INFO':8} {LogEvent.DELIVERY_RECORDED}  {counts}")

    def _new_events(self, changes: Changes) -> Iterator[_Event]:
        """Yield the functions' events about messages, each once however often it is logged."""
        for name, is_report, reader in self._logs:
            if changes.log_end(reader.log_group) > reader.position:
                yield from self._events(name, reader.new_lines(), is_report=is_report)

    def _events(self, log: str, lines: Sequence[LogLine], *, is_report: bool) -> Iterator[_Event]:
        for line in lines:
            fields = line.fields
            if line.failed_start and self._is_new(log, line.failed_start):
                self._screen.say(f"ERROR    {log} cannot start: {line.failed_start}", "red")
            if "sqs_message_id" in fields and self._is_new(*map(fields.get, DISTINCT_FIELDS)):
                message = fields.get("conversation_id") or fields["sqs_message_id"]
                yield _Event(message, fields, is_report)

    def _is_new(self, *event: object) -> bool:
        identity = hash(event)
        is_new = identity not in self._shown_events
        self._shown_events[identity] = None
        if len(self._shown_events) > KEPT_EVENTS:
            del self._shown_events[next(iter(self._shown_events))]
        return is_new

    def _new_messages(self) -> dict[str, list[InboxMessage]]:
        """Return the messages that recipients have received since the last call, by address."""
        found: dict[str, list[InboxMessage]] = {}
        if inbox := self._cloud.vendors.inbox:
            self._inbox_position, messages = inbox.since(self._inbox_position)
            for message in messages:
                found.setdefault(message.recipient, []).append(message)
        return found

    def _show_dropped_lines(self) -> None:
        """Show that log lines were dropped before they could be read and shown."""
        dropped = sum(reader.dropped for _, _, reader in self._logs)
        if dropped > self._dropped_lines:
            self._screen.say(f"{dropped - self._dropped_lines} older log lines were dropped", "dim")
            self._dropped_lines = dropped

    def _show_dead_letters(self, changes: Changes) -> None:
        """Show how many there are once no more arrive, so that many arrivals are one line."""
        for name, channel in self._cloud.channels.items():
            count = changes.queue_depth(channel.resources.dead_letter_queue_url)
            shown = self._shown_dead_letters[name]
            still_arriving = count > self._counted_dead_letters[name]
            self._counted_dead_letters[name] = count
            if count > shown and not still_arriving:
                self._screen.say(
                    f"DEAD     the dead-letter queue of {name} contains {count}", "red"
                )
            if count < shown or not still_arriving:
                self._shown_dead_letters[name] = count

    def _show_alerts(self, changes: Changes) -> None:
        """Show alarms that went off or ended, but not their initial state OK."""
        alerts = self._cloud.alerts.all_alerts(changes)
        new, self._alerts = alerts[self._alerts :], len(alerts)
        for alert in new:
            if alert.is_alarm:
                self._alarms.add(alert.alarm)
                self._screen.say(f"ALARM    {alert.alarm}: {alert.description}", "magenta")
            elif alert.alarm in self._alarms:
                self._alarms.remove(alert.alarm)
                self._screen.say(f"OK       {alert.alarm}", "magenta")


def _show_endpoints(screen: Screen, cloud: LocalCloud) -> None:
    is_real = isinstance(cloud.vendors, RealVendors)
    screen.heading("The local cloud is running; press Ctrl-C to stop it")
    if is_real:
        screen.say("OpenAI writes and Twilio sends: phones ring. E-mails are not sent.", "yellow")
    else:
        screen.say("fakes write and send: nothing leaves this machine, and no phone rings")
    example = EXAMPLE.relative_to(paths.ROOT)
    screen.say("in another terminal:")
    screen.say(f"  make send CONTEXT={example}")
    screen.say("  python -m ops status --local             the operator CLI")
    screen.say("  python -m local fail --list              let them fail: docs/local-cloud.md")
    screen.say(f"embedded AWS at {cloud.aws.endpoint}", "dim")
    for name, fake in cloud.fakes.items():
        what = "DynamoDB, as the functions reach it" if name == AWS else f"fake of {name}"
        screen.say(f"{what}, at {fake.origin}", "dim")
    for name, channel in cloud.channels.items():
        screen.say(f"queue of {name}: {channel.resources.queue_url}", "dim")
    screen.say("events:", "dim")
