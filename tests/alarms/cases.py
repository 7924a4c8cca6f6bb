"""Every alarm that there has to be, and how to tell whether it does what it should."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.alarms.chain import AlarmChain, Course
from tests.alarms.conftest import Lines
from tests.alarms.delivery import Address
from tests.alarms.deployment import Deployment
from tests.alarms.evaluation import State
from tests.alarms.expectations import EXPECTATIONS, Expectation
from tests.alarms.scenarios import Scenario, scenarios
from tests.alarms.scenarios_of_math import growth, silence

ON_CALL = "on-call@example.com"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One alarm.

    Attributes:
        subject: As its name has it.
        scenarios: What may happen, given the runtime's log by story.
        tells_the_end: Whether the person learns that it is over.
        statistics: By which its data points are made, by metric.
        events: The events of the log lines that it counts, if it counts any.
        expression: Its metric math, if it has any.
        expected: Its rule, if it has only one metric.
    """

    subject: str
    scenarios: Callable[[Lines], Iterable[Scenario]]
    tells_the_end: bool
    statistics: Mapping[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    expression: str = ""
    expected: Expectation | None = None

    @property
    def alarm(self) -> str:
        """The alarm's name."""
        return f"WhatsAppProcessor{self.subject}Alarm-Dev"

    @property
    def counts_lines(self) -> bool:
        """Whether it listens to the runtime's log."""
        return any(name.endswith("Count") for name in self.statistics)

    @property
    def heeds_level(self) -> bool:
        """Whether the level of the log's lines matters."""
        return self.counts_lines and not self.expression

    def complaints(self, chain: AlarmChain, lines: Lines) -> Iterator[str]:
        """Yield every scenario in which the alarm does not do what it should, with the reason."""
        for scenario in self.scenarios(lines):
            course = chain.run(self.alarm, scenario.happenings, scenario.minutes)
            if scenario.states != course.states:
                yield f"{scenario.name}: {' '.join(course.states)}"
            yield from (f"{scenario.name}: {wrong}" for wrong in self._wrong_mail(course))

    def differences(self, deployment: Deployment) -> Iterator[str]:
        """Yield what of the alarm's rule is written otherwise than it should be.

        For what shows in no scenario, because it makes no difference as long as nothing else is
        changed.
        """
        for alarm in deployment.resources("AWS::CloudWatch::Alarm"):
            if alarm.properties["AlarmName"] != self.alarm:
                continue
            if (missing := alarm.properties["TreatMissingData"]) != "notBreaching":
                yield f"missing data are {missing}"
            if self.statistics != (written := _statistics(alarm.properties)):
                yield f"the statistics are {written}"

    def _wrong_mail(self, course: Course) -> Iterator[str]:
        told = [State.ALARM, State.OK] if self.tells_the_end else [State.ALARM]
        due = [state for state in course.states if state in told]
        if due != [notification.state for notification in course.notifications]:
            yield f"{len(course.notifications)} notifications instead of {len(due)}"
        for notification in course.notifications:
            if notification.address != Address("email", ON_CALL):
                yield f"it went to {notification.address}"
            if f"Runbook: docs/runbook.md#{self.subject.lower()}" not in notification.text:
                yield "its text names no section of the runbook"


def _statistics(alarm: Mapping[str, Any]) -> dict[str, str]:
    if "Metrics" not in alarm:
        return {alarm["MetricName"]: alarm["Statistic"]}
    stats = [query["MetricStat"] for query in alarm["Metrics"] if "MetricStat" in query]
    return {stat["Metric"]["MetricName"]: stat["Stat"] for stat in stats}


EVENTS = {
    "FinalDbUpdateFailure": ("final_db_update_failed",),
    "SendOutcomeUnknown": ("send_outcome_unknown",),
    "VendorAccountRefused": ("vendor_account_refused",),
    "HeartbeatFailure": ("heartbeat_failed",),
}


def _case(expected: Expectation) -> Case:
    return Case(
        subject=expected.subject,
        scenarios=partial(scenarios, expected),
        tells_the_end=expected.tells_the_end,
        statistics={expected.signal.metric_name: expected.statistic},
        events=EVENTS.get(expected.subject, ()),
        expected=expected,
    )


CASES: Sequence[Case] = (
    *map(_case, EXPECTATIONS),
    Case(
        subject="MoreDeadLetters",
        scenarios=growth,
        tells_the_end=False,
        statistics={"ApproximateNumberOfMessagesVisible": "Maximum"},
        expression="DIFF(FILL(letters, REPEAT))",
    ),
    Case(
        subject="NoMessageSent",
        scenarios=silence,
        tells_the_end=True,
        statistics={"NumberOfMessagesSent": "Sum", "MessageSentCount": "Sum"},
        events=("message_sent", "send_settled", "already_processed"),
        expression="IF(FILL(enqueued, 0) > 0 AND FILL(sent, 0) < 1, 1, 0)",
    ),
)
