"""Whom alarms tell, and the form that every alarm has."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.invariants import guard
from stacks.names import ChannelNames

LONGEST_DESCRIPTION = 1_024
"""Characters that CloudWatch takes as an alarm's description."""


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """When a metric wakes a person, and what that person is told.

    A data point breaches from `threshold` upwards; `breaching` of the latest `periods` data points
    have to, so that what passes by itself wakes nobody.

    Attributes:
        subject: What it is about, in PascalCase: part of the alarm's name, and the heading of its
            section in the runbook.
        description: What happened and what to do first.
        threshold: In the metric's unit.
        breaching: How many of the data points have to breach.
        periods: How many data points are looked at.
        tells_the_end: Whether the return to OK is told, too. For what lasts, such as letters in a
            queue; an event is not undone by no more of its kind following.
    """

    subject: str
    description: str
    threshold: float = 1
    breaching: int = 1
    periods: int = 1
    tells_the_end: bool = False


@dataclass(frozen=True, kw_only=True)
class OnCall:
    """The person on duty: reached by a topic, helped by a runbook.

    Attributes:
        topic: Where alarms go.
        runbook: Address, or path in this repository, of the runbook.
    """

    topic: sns.ITopic
    runbook: str

    def wake(
        self,
        scope: Construct,
        construct_id: str,
        *,
        alarm_name: str,
        rule: AlarmRule,
        metric: cloudwatch.IMetric,
    ) -> cloudwatch.Alarm:
        """Make the alarm that follows a rule over a metric.

        Missing data never breaches: each metric here either counts what went wrong, and is silent
        when nothing did, or is AWS's own, which stops when a queue or a function is idle. What must
        not go missing is filled by the metric's own expression.

        Raises:
            ValueError: The description would be longer than CloudWatch takes.
        """
        alarm = cloudwatch.Alarm(
            scope,
            construct_id,
            alarm_name=alarm_name,
            alarm_description=self._told(rule),
            metric=metric,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            threshold=rule.threshold,
            datapoints_to_alarm=rule.breaching,
            evaluation_periods=rule.periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        if rule.tells_the_end:
            alarm.add_ok_action(actions.SnsAction(self.topic))
        guard(scope)
        return alarm

    def wake_for_all(
        self,
        scope: Construct,
        names: ChannelNames,
        watched: Mapping[AlarmRule, cloudwatch.IMetric],
    ) -> tuple[cloudwatch.Alarm, ...]:
        """Make an alarm of each rule and its metric, with the rule's subject as construct id."""
        return tuple(
            self.wake(
                scope, rule.subject, alarm_name=names.alarm(rule.subject), rule=rule, metric=metric
            )
            for rule, metric in watched.items()
        )

    def _told(self, rule: AlarmRule) -> str:
        text = f"{rule.description} Runbook: {self.runbook}#{rule.subject.lower()}"
        if len(text) > LONGEST_DESCRIPTION:
            raise ValueError(
                f"alarm {rule.subject}: its description has {len(text):,} characters with the"
                f" runbook's address, and CloudWatch takes {LONGEST_DESCRIPTION:,}: shorten it"
            )
        return text
