"""What a channel costs at AWS by standing there, however many messages come."""

from collections.abc import Iterator
from dataclasses import dataclass

from planner import prices
from planner.prices import Price


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How much stands there that is billed by the month.

    Attributes:
        secrets: The OpenAI key, and each tenant's credentials.
        metrics: Of the channel's own: those of the runtime, and those of the log's filters.
        alarm_metrics: Metrics that alarms look at; an alarm over metric math has several.
        dashboards: Of the channel.
    """

    secrets: int
    metrics: int
    alarm_metrics: int
    dashboards: int

    def items(self) -> Iterator[tuple[int, Price]]:
        """How many of what."""
        yield self.secrets, prices.SECRET
        yield self.metrics, prices.METRIC
        yield self.alarm_metrics, prices.ALARM
        yield self.dashboards, prices.DASHBOARD

    @property
    def dollars(self) -> float:
        """A month."""
        return sum(number * price.dollars for number, price in self.items())


CHANNEL = Standing(secrets=2, metrics=19, alarm_metrics=13, dashboards=1)
"""A channel's with one tenant, on which nothing fails: `tests/contract/test_standing.py` counts it.

Each step and kind of failure is a metric more. An alarm over metric math counts as often as metrics
stand in it.
"""
