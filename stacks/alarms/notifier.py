"""The form of every alarm, and the topic that alarms notify."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.config import ChannelNames
from stacks.invariants import attach_rules

MAX_DESCRIPTION = 1_024
"""The characters that CloudWatch accepts as an alarm's description."""


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """When an alarm goes off, and what its notification says.

    A data point breaches from `threshold` upwards.

    Attributes:
        subject: Part of the alarm's name, in PascalCase; also the heading of its runbook section.
        description: What happened, and what to do first.
        threshold: In the metric's unit.
        missing_data_breaches: Whether a period without data counts as a breach: for a metric that a
            working job always publishes.
        datapoints_to_alarm: How many of the evaluated data points have to breach.
        evaluation_periods: How many of the latest data points are evaluated.
        notify_on_ok: Whether the return to OK is notified too. Set it for conditions that last,
            such as messages in a queue; a single event does not end when no other follows.
    """

    subject: str
    description: str
    threshold: float = 1
    datapoints_to_alarm: int = 1
    evaluation_periods: int = 1
    notify_on_ok: bool = False
    missing_data_breaches: bool = False


@dataclass(frozen=True, kw_only=True)
class AlarmNotifier:
    """Creates alarms that notify a topic and refer to a runbook.

    Attributes:
        topic: The topic.
        runbook: Address of the runbook, or its path in this repository.
    """

    topic: sns.ITopic
    runbook: str

    def add_alarm(
        self,
        scope: Construct,
        construct_id: str,
        *,
        alarm_name: str,
        rule: AlarmRule,
        metric: cloudwatch.IMetric,
    ) -> cloudwatch.Alarm:
        """Create the alarm of a rule over a metric.

        Missing data does not breach unless the rule says so: most metrics are counts of failures,
        which have no data without one, or AWS's own, which stop while a queue or a function is
        idle.

        Raises:
            ValueError: The description is longer than CloudWatch accepts.
        """
        missing = cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            scope,
            construct_id,
            alarm_name=alarm_name,
            alarm_description=self._description(rule),
            metric=metric,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            threshold=rule.threshold,
            datapoints_to_alarm=rule.datapoints_to_alarm,
            evaluation_periods=rule.evaluation_periods,
            treat_missing_data=(
                missing.BREACHING if rule.missing_data_breaches else missing.NOT_BREACHING
            ),
        )
        alarm.add_alarm_action(self._action)
        if rule.notify_on_ok:
            alarm.add_ok_action(self._action)
        attach_rules(scope)
        return alarm

    def add_alarms(
        self,
        scope: Construct,
        names: ChannelNames,
        metrics: Mapping[AlarmRule, cloudwatch.IMetric],
    ) -> tuple[cloudwatch.Alarm, ...]:
        """Create an alarm for each rule and its metric; the construct id is the rule's subject."""
        return tuple(
            self.add_alarm(
                scope, rule.subject, alarm_name=names.alarm(rule.subject), rule=rule, metric=metric
            )
            for rule, metric in metrics.items()
        )

    @cached_property
    def _action(self) -> cloudwatch.IAlarmAction:
        return actions.SnsAction(self.topic)

    def _description(self, rule: AlarmRule) -> str:
        text = f"{rule.description} Runbook: {self.runbook}#{rule.subject.lower()}"
        if len(text) > MAX_DESCRIPTION:
            raise ValueError(
                f"alarm {rule.subject}: its description has {len(text):,} characters with the"
                f" runbook's address, and CloudWatch accepts {MAX_DESCRIPTION:,}: shorten it"
            )
        return text
