"""Every required alarm, and scenarios in which it must and must not go off.

Written independently of the templates.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from local.emulator.ministack_process import State
from tests.alarms.chain import AlarmChain, DataPoint, Event, LogLine, Notification
from tests.alarms.cloudwatch import Metric, query_stats
from tests.alarms.situations import Lines

ON_CALL = "on-call@example.com"
QUEUE = {"QueueName": "ai-multi-comms-whatsapp-queue-dev"}
DEAD_LETTER_QUEUE = {"QueueName": "ai-multi-comms-whatsapp-dlq-dev"}
EVENTS = {"QueueName": "ai-multi-comms-whatsapp-events-queue-dev"}
EVENTS_DEAD = {"QueueName": "ai-multi-comms-whatsapp-events-dlq-dev"}
WORKER = {"FunctionName": "whatsapp-events-worker-dev"}
RECEIVER = {"FunctionName": "whatsapp-receiver-dev"}
SCHEDULER = {"FunctionName": "whatsapp-scheduler-dev"}
FUNCTION = {"FunctionName": "whatsapp-channel-processor-dev"}
ENQUEUED = Metric.of("AWS/SQS", "NumberOfMessagesSent", QUEUE)
OLDEST = Metric.of("AWS/SQS", "ApproximateAgeOfOldestMessage", QUEUE)
DEAD_LETTERS = Metric.of("AWS/SQS", "ApproximateNumberOfMessagesVisible", DEAD_LETTER_QUEUE)
ERRORS, THROTTLES, DURATION = (
    Metric.of("AWS/Lambda", name, FUNCTION) for name in ("Errors", "Throttles", "Duration")
)
DELIVERED, UNDELIVERED, SENT, OLDEST_LOOKUP, OLDEST_DRAFT, MODELS, TEMPLATES = (
    Metric("AIComms/WhatsAppProcessor/Dev", name)
    for name in (
        *("MessagesDelivered", "MessagesUndelivered", "MessagesSent"),
        *("OldestLookupDueSeconds", "OldestHeldDraftSeconds"),
        *("ModelsRetiring", "TemplatesNotApproved"),
    )
)
CALLBACKS = Metric.of("AWS/Lambda", "Invocations", RECEIVER)
NEVER = (State.OK,)
ONCE = (State.OK, State.ALARM, State.OK)
TWICE = (*ONCE, State.ALARM, State.OK)
NORMAL = ("sent", "delivered twice", "failed", "reported")
"""Situations of normal operation."""

Amounts = Sequence[tuple[int, float]]
"""Amounts by minute."""


Scenario = tuple[str, Sequence[Event], int, tuple[State, ...]]
"""A name, events, the simulated minutes, and the states that an alarm must go through."""


@dataclass(frozen=True, kw_only=True)
class AlarmCase:
    """An alarm, on one metric or with metric math.

    Attributes:
        subject: The subject in its name, and the situation whose log lines it counts.
        metric: AWS's metric; None if it counts log lines.
        is_gauge: Whether the highest data point counts; otherwise the amounts add up.
        amount: The value from which a data point, of `minutes`, breaches.
        breaching: The number of data points that must breach, out of `periods`.
        log_events: The log events that its metric filter counts, if it names any.
        notify_on_ok: Whether a notification is sent when it returns to OK.
        missing: How a missing data point is treated.
        expression: Its metric math, if any, with the statistics of its metrics.
        has_dimensions: Whether its first metric has dimensions.
        own_scenarios: Its scenarios, where those of every other alarm do not fit.
    """

    subject: str
    metric: Metric | None = None
    is_gauge: bool = False
    amount: float = 1
    minutes: int = 5
    breaching: int = 1
    periods: int = 1
    log_events: tuple[str, ...] = ()
    notify_on_ok: bool = True
    expression: str = ""
    math_statistics: Mapping[str, str] | None = None
    missing: str = "notBreaching"
    has_dimensions: bool = True
    own_scenarios: Callable[[Lines], Iterable[Scenario]] | None = None

    @property
    def alarm(self) -> str:
        """The alarm's name."""
        return f"WhatsAppProcessor{self.subject}Alarm-Dev"

    @property
    def statistics(self) -> Mapping[str, str]:
        """The statistics by metric name."""
        name = self.metric.name if self.metric else f"{self.subject}Count"
        return self.math_statistics or {name: "Maximum" if self.is_gauge else "Sum"}

    @property
    def counts_lines(self) -> bool:
        """Whether one of its metrics counts log lines."""
        return any(name.endswith("Count") for name in self.statistics)

    def failures(self, chain: AlarmChain, lines: Lines) -> Iterator[str]:
        """Yield each scenario in which the alarm or its notifications are wrong, with a reason."""
        for name, events, minutes, expected in self.scenarios(lines):
            states, notifications = chain.run(self.alarm, events, minutes)
            if expected != tuple(states):
                yield f"{name}: {' '.join(states)}"
            for wrong in self._wrong_notifications(states, notifications):
                yield f"{name}: {wrong}"

    def rule_differences(self, chain: AlarmChain) -> Iterator[str]:
        """Yield differences of the properties that matter only together with another change."""
        if alarm := chain.alarm(self.alarm):
            if (missing := alarm.properties["TreatMissingData"]) != self.missing:
                yield f"missing data are {missing}"
            stats = query_stats(alarm.properties)
            found = {stat["Metric"]["MetricName"]: stat["Stat"] for stat in stats}
            if self.statistics != found:
                yield f"the statistics are {found}"

    def _wrong_notifications(
        self, states: Sequence[State], notifications: Sequence[Notification]
    ) -> Iterator[str]:
        notified = [State.ALARM, State.OK] if self.notify_on_ok else [State.ALARM]
        expected = [(state, "email", ON_CALL) for state in states if state in notified]
        if expected != (found := [each[:3] for each in notifications]):
            yield f"notifications {found} instead of {expected}"
        link = f"Runbook: docs/runbook.md#{self.subject.lower()}"
        if not all(link in text for *_, text in notifications):
            yield "its text names no section of the runbook"

    def scenarios(self, lines: Lines) -> Iterator[Scenario]:
        """Yield scenarios that distinguish the rule from every other one."""
        if self.own_scenarios:
            yield from self.own_scenarios(lines)
            return
        period, periods = self.minutes, self.periods
        enough = [(1 + i * period, self.amount) for i in (*range(self.breaching - 1), periods - 1)]
        alone = self._amounts(lines, enough), enough[-1][0] + (periods + 3) * period
        yield "nothing happens", (), 2 * period, NEVER
        yield "just enough, then no data", *alone, ONCE
        yield "other situations", self._other_situations(lines), 4 * period, NEVER
        for name, amounts, states in self._amount_scenarios(enough):
            minutes = max(minute for minute, _ in amounts) + (periods + 3) * period
            events = [*self._amounts(lines, amounts), *self._normal_operation(lines, minutes)]
            yield name, events, minutes, states

    def _amount_scenarios(
        self, enough: Amounts
    ) -> Iterator[tuple[str, Amounts, tuple[State, ...]]]:
        amount, period, periods = self.amount, self.minutes, self.periods

        def row(number: int, amount: float, distance: int = period) -> Amounts:
            return [(1 + index * distance, amount) for index in range(number)]

        pause = enough[-1][0] + (periods + 1) * period
        later = [(pause + minute, amount) for minute, _ in enough]
        yield "just enough", enough, ONCE
        yield "too small an amount", row(2 * periods, amount - 1), NEVER
        yield "again after it ended", [*enough, *later], TWICE
        yield "once while it lasts", row(periods + 2, amount), ONCE
        if self.breaching > 1:
            yield "too few data points", row(self.breaching - 1, amount), NEVER
            apart = row(self.breaching, amount, 2 * periods * period)
            yield "data points too far apart", apart, NEVER
        if amount > 1 and not self.is_gauge:
            first, second = math.ceil(amount / 2), math.floor(amount / 2)
            yield "in two parts", [(1, first), (period, second)], ONCE
            yield "in two parts too far apart", [(1, first), (2 * period, second)], NEVER

    def _amounts(self, lines: Lines, amounts: Amounts) -> list[Event]:
        """Return events of these amounts, with a data point of 0 beside each of AWS's metrics."""
        if not (metric := self.metric):
            logged = lines[self.subject]
            return [LogLine(m, line) for m, amount in amounts for line in logged * int(amount)]
        return [
            DataPoint(minute, metric, value)
            for minute, amount in amounts
            for value in ((amount, amount, 0) if self.is_gauge else (*[1] * int(amount), 0))
        ]

    def _other_situations(self, lines: Lines) -> list[Event]:
        return [
            LogLine(1 + index * self.minutes, line)
            for index in range(self.periods)
            for situation, logged in lines.items()
            if not situation.startswith(self.subject)
            for line in logged
        ]

    def _normal_operation(self, lines: Lines, minutes: int) -> Iterator[Event]:
        for minute in range(0, minutes, 5):
            if self.metric:
                yield DataPoint(minute + 0.5, self.metric, 0)
            for situation in NORMAL:
                yield from (LogLine(minute + 0.5, line) for line in lines[situation])


def no_message_sent(lines: Lines) -> Iterable[Scenario]:
    """Return scenarios of messages enqueued in two quarters of an hour and none sent."""

    def log(situation: str, *minutes: int, event: str = "") -> list[Event]:
        chosen = [x for x in lines[situation] if not event or json.loads(x).get("event") == event]
        return [LogLine(minute, line) for minute in minutes for line in chosen]

    def enqueue(*minutes: int) -> list[Event]:
        idle = [DataPoint(minute + 0.5, ENQUEUED, 0) for minute in range(0, 100, 5)]
        return [*idle, *(DataPoint(minute, ENQUEUED, 1) for minute in minutes)]

    two = enqueue(1, 16)
    acknowledged = log("delivered twice", 2, 16, event="already_processed")
    some_fail = [*log("sent", 2, 16), *log("failed", 4, 15)]
    return (
        ("nothing happens", [], 60, NEVER),
        ("nothing is enqueued", [*enqueue(), *log("failed", 1, 16)], 60, NEVER),
        ("nothing is processed", two, 90, ONCE),
        ("all fail", [*two, *log("failed", 2, 17)], 90, ONCE),
        ("each is sent, others fail", [*two, *some_fail], 90, NEVER),
        ("each is reconciled", [*two, *log("reconciled", 2, 16)], 90, NEVER),
        ("each was sent before", [*two, *acknowledged], 90, NEVER),
        ("one is sent late", [*two, *log("sent", 15)], 90, NEVER),
        ("only one is enqueued", enqueue(1), 90, NEVER),
        ("they are enqueued far apart", enqueue(1, 61), 120, NEVER),
        ("it lasts", enqueue(1, 16, 31, 46), 120, ONCE),
        ("it recurs", [*two, *enqueue(76, 91)], 180, TWICE),
    )


def more_dead_letters(_: Lines) -> Iterable[Scenario]:
    """Return scenarios of ten more dead-letter messages within a quarter of an hour."""

    def depth(until: int, number: Callable[[int], int], since: int = 0) -> list[Event]:
        return [DataPoint(m, DEAD_LETTERS, number(m)) for m in range(since, until, 5)]

    before_gap = depth(30, lambda _: 50)
    return (
        ("nothing happens", [], 60, NEVER),
        ("ten more", depth(60, lambda m: 3 if m < 30 else 13), 90, ONCE),
        ("nine more", depth(60, lambda m: 3 if m < 30 else 12), 90, NEVER),
        ("ten in two parts", depth(60, lambda m: 5 * ((m >= 30) + (m >= 35))), 90, ONCE),
        ("a slow rise", depth(120, lambda m: 5 * (m // 15)), 120, NEVER),
        ("many, as before", depth(60, lambda _: 50), 90, NEVER),
        ("a short peak", depth(60, lambda m: 10 * (m == 30)), 90, ONCE),
        ("a gap", [*before_gap, *depth(90, lambda _: 50, 60)], 120, NEVER),
        ("ten more after a gap", [*before_gap, *depth(90, lambda _: 60, 60)], 120, ONCE),
        ("ten more, twice", depth(120, lambda m: 10 * ((m >= 30) + (m >= 75))), 150, TWICE),
    )


def undelivered_share(_: Lines) -> Iterable[Scenario]:
    """Return scenarios of messages that were delivered and undelivered; both are counted."""

    def results(minute: int, undelivered: int, delivered: int) -> list[Event]:
        counts = {UNDELIVERED: undelivered, DELIVERED: delivered}
        several = {metric: (count - count // 2, count // 2) for metric, count in counts.items()}
        return [DataPoint(minute, metric, n) for metric, two in several.items() for n in two]

    return (
        ("nothing happens", [], 60, NEVER),
        ("a quarter is undelivered", results(1, 5, 15), 90, ONCE),
        ("more than a quarter", results(1, 26, 74), 90, ONCE),
        ("all are undelivered", results(1, 5, 0), 90, ONCE),
        ("less than a quarter", results(1, 49, 151), 90, NEVER),
        ("few are undelivered", results(1, 4, 0), 90, NEVER),
        ("all are delivered", results(1, 0, 50), 90, NEVER),
        ("in two parts", [*results(1, 3, 9), *results(55, 2, 6)], 120, ONCE),
        ("in two parts too far apart", [*results(1, 3, 0), *results(62, 2, 0)], 150, NEVER),
        ("twice", [*results(1, 5, 0), *results(120, 6, 18)], 240, TWICE),
        ("it lasts", [*results(1, 5, 5), *results(50, 5, 5), *results(100, 5, 5)], 200, ONCE),
    )


def no_callbacks(_: Lines) -> Iterable[Scenario]:
    """Return scenarios of sends in two half hours and no callback."""

    def send(*minutes: int, number: int = 10) -> list[Event]:
        idle = [DataPoint(minute + 0.5, SENT, 0) for minute in range(0, 60, 4)]
        sent = [DataPoint(minute, SENT, n) for minute in minutes for n in (number - 3, 3)]
        return [*idle, *sent]

    def report(*minutes: int) -> list[Event]:
        return [DataPoint(minute, CALLBACKS, value) for minute in minutes for value in (1, 0)]

    return (
        ("nothing happens", [], 90, NEVER),
        ("nothing is sent", send(), 120, NEVER),
        ("no callback", send(1, 31), 120, ONCE),
        ("only idle invocations", [*send(1, 31), DataPoint(2, CALLBACKS, 0)], 120, ONCE),
        ("each has a callback", [*send(1, 31), *report(2, 32)], 120, NEVER),
        ("one callback", [*send(1, 31), *report(25)], 120, NEVER),
        ("too few sends", send(1, 31, number=9), 120, NEVER),
        ("only half an hour", send(1), 120, NEVER),
        ("half hours that are far apart", send(1, 91), 180, NEVER),
        ("it lasts", send(1, 31, 61, 91), 200, ONCE),
        ("it recurs", [*send(1, 31), *send(151, 181)], 300, TWICE),
    )


def age_published(metric: Metric, limit: int) -> Callable[[Lines], Iterable[Scenario]]:
    """Return scenarios of an age in seconds that each run of the scheduled job publishes."""
    ended = (State.OK, State.ALARM)

    def run(until: int, age: Callable[[int], int], since: int = 0) -> list[Event]:
        return [
            DataPoint(m, metric, value) for m in range(since, until, 15) for value in (age(m), 0)
        ]

    def scenarios(_: Lines) -> Iterable[Scenario]:
        return (
            ("it never runs", [], 120, (State.ALARM,)),
            ("nothing waits", run(180, lambda _: 0), 170, NEVER),
            ("one waits too long", run(300, lambda m: limit * (60 <= m < 105)), 290, ONCE),
            ("just in time", run(300, lambda m: (limit - 1) * (60 <= m < 120)), 290, NEVER),
            ("a short time", run(300, lambda m: (limit + 1_800) * (m == 60)), 290, NEVER),
            ("it misses a run", [*run(60, lambda _: 0), *run(200, lambda _: 0, 90)], 190, NEVER),
            ("it stops", run(60, lambda _: 0), 240, ended),
            (
                "it stops for a while",
                [*run(60, lambda _: 0), *run(300, lambda _: 0, 210)],
                290,
                ONCE,
            ),
            ("twice", run(500, lambda m: (limit + 800) * (m % 200 >= 140)), 480, TWICE),
        )

    return scenarios


def found_hourly(metric: Metric) -> Callable[[Lines], Iterable[Scenario]]:
    """Return scenarios of a number that each run of the vendor check publishes."""

    def run(until: int, *found: int, since: int = 0) -> list[Event]:
        return [
            DataPoint(m, metric, value)
            for m in range(since, until, 60)
            for value in (int(m in found), 0)
        ]

    def scenarios(_: Lines) -> Iterable[Scenario]:
        return (
            ("it never runs", [], 150, (State.ALARM,)),
            ("nothing is found", run(300), 290, NEVER),
            ("one is found", run(420, 120, 180), 400, ONCE),
            ("only in one run", run(420, 120), 400, NEVER),
            ("in two runs that are far apart", run(480, 120, 300), 470, NEVER),
            ("it misses a run", [*run(120), *run(300, since=180)], 290, NEVER),
            ("it stops", run(120), 300, (State.OK, State.ALARM)),
            ("it stops for a while", [*run(120), *run(600, since=420)], 590, ONCE),
            ("twice", run(600, 60, 120, 360, 420), 590, TWICE),
        )

    return scenarios


CASES: Sequence[AlarmCase] = (
    *(
        AlarmCase(subject=subject, log_events=(event,), notify_on_ok=False)
        for subject, event in (
            ("FinalDbUpdateFailure", "final_db_update_failed"),
            ("SendOutcomeUnknown", "send_outcome_unknown"),
            ("VendorAccountRefused", "vendor_account_refused"),
        )
    ),
    AlarmCase(subject="HeartbeatFailure", log_events=("heartbeat_failed",), breaching=3, periods=6),
    AlarmCase(subject="RepeatedFailure", amount=3, minutes=15),
    AlarmCase(subject="DeadLetters", metric=DEAD_LETTERS, is_gauge=True),
    AlarmCase(
        subject="OldestMessage", metric=OLDEST, is_gauge=True, amount=900, breaching=2, periods=2
    ),
    AlarmCase(subject="FunctionErrors", metric=ERRORS, breaching=2, periods=3),
    AlarmCase(subject="FunctionThrottles", metric=THROTTLES, breaching=2, periods=3),
    AlarmCase(
        subject="FunctionNearTimeout",
        metric=DURATION,
        is_gauge=True,
        amount=(180 - 19) * 1000,
        breaching=2,
        periods=3,
    ),
    AlarmCase(
        subject="MoreDeadLetters",
        notify_on_ok=False,
        expression="DIFF(FILL(letters, REPEAT))",
        math_statistics={"ApproximateNumberOfMessagesVisible": "Maximum"},
        own_scenarios=more_dead_letters,
    ),
    AlarmCase(
        subject="NoMessageSent",
        log_events=("message_sent", "send_settled", "already_processed"),
        expression="IF(FILL(enqueued, 0) > 0 AND FILL(sent, 0) < 1, 1, 0)",
        math_statistics={"NumberOfMessagesSent": "Sum", "MessageSentCount": "Sum"},
        own_scenarios=no_message_sent,
    ),
)

EVENT_CASES: Sequence[AlarmCase] = (
    *(
        AlarmCase(subject=subject, log_events=(event,), notify_on_ok=False)
        for subject, event in (
            ("SecondMessageSuspected", "second_message_suspected"),
            ("CallbackContradictsRecord", "callback_contradicts_record"),
        )
    ),
    AlarmCase(
        subject="EventsDeadLetters",
        metric=Metric.of("AWS/SQS", "ApproximateNumberOfMessagesVisible", EVENTS_DEAD),
        is_gauge=True,
    ),
    AlarmCase(
        subject="OldestEvent",
        metric=Metric.of("AWS/SQS", "ApproximateAgeOfOldestMessage", EVENTS),
        is_gauge=True,
        amount=900,
        breaching=2,
        periods=2,
    ),
    *(
        AlarmCase(
            subject=f"{part}{name}",
            metric=Metric.of("AWS/Lambda", name, function),
            breaching=2,
            periods=3,
        )
        for part, function in (("EventsWorker", WORKER), ("Receiver", RECEIVER))
        for name in ("Errors", "Throttles")
    ),
    AlarmCase(
        subject="UndeliveredShare",
        expression=("IF(undelivered < 5, 0, 100 * undelivered / (undelivered + delivered))"),
        math_statistics={"MessagesUndelivered": "Sum", "MessagesDelivered": "Sum"},
        has_dimensions=False,
        own_scenarios=undelivered_share,
    ),
    AlarmCase(
        subject="NoCallbacks",
        expression="IF(FILL(sends, 0) >= 10 AND FILL(callbacks, 0) < 1, 1, 0)",
        math_statistics={"Invocations": "Sum", "MessagesSent": "Sum"},
        own_scenarios=no_callbacks,
    ),
    AlarmCase(
        subject="OldestLookupDue",
        metric=OLDEST_LOOKUP,
        is_gauge=True,
        breaching=2,
        periods=2,
        missing="breaching",
        has_dimensions=False,
        own_scenarios=age_published(OLDEST_LOOKUP, 7_200),
    ),
    AlarmCase(
        subject="OldestHeldDraft",
        metric=OLDEST_DRAFT,
        is_gauge=True,
        breaching=2,
        periods=2,
        missing="breaching",
        has_dimensions=False,
        own_scenarios=age_published(OLDEST_DRAFT, 86_400),
    ),
    *(
        AlarmCase(
            subject=metric.name,
            metric=metric,
            is_gauge=True,
            minutes=60,
            breaching=2,
            periods=2,
            missing="breaching",
            has_dimensions=False,
            own_scenarios=found_hourly(metric),
        )
        for metric in (MODELS, TEMPLATES)
    ),
    AlarmCase(
        subject="SchedulerErrors",
        metric=Metric.of("AWS/Lambda", "Errors", SCHEDULER),
        minutes=15,
        breaching=2,
        periods=3,
    ),
)
"""The alarms over the scheduled job, and over what happens after the send with all keys."""
ALL_CASES = (*CASES, *EVENT_CASES)
