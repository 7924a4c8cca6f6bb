"""Whom the lines at CRITICAL have called: from line to metric to alarm to topic."""

from typing import TYPE_CHECKING

from local.alarm_chain import chains_of
from local.waiting import wait_for
from tests.faults.soak.facts import AlarmFacts
from tests.local.metric_sum import metric_sum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.function_logs import LogLine
    from local.world import World

RELAY_SECONDS = 30


def alarm_facts(world: "World", critical: "Mapping[str, Sequence[LogLine]]") -> "list[AlarmFacts]":
    """What became of the lines at CRITICAL, given by their event."""
    return [_of_event(world, event, lines) for event, lines in sorted(critical.items())]


def _of_event(world: "World", event: str, lines: "Sequence[LogLine]") -> AlarmFacts:
    chains = chains_of(world.aws, world.resources.log_group, lines[0].text)
    metrics = {(chain.namespace, chain.metric) for chain in chains}

    def counted() -> float:
        return min((metric_sum(world.aws, *metric) for metric in metrics), default=0)

    def notified() -> set[str]:
        woken = {alert.alarm for alert in world.alerts.all_alerts() if alert.wakes}
        return woken & {chain.alarm for chain in chains}

    wait_for(lambda: counted() >= len(lines) and notified(), RELAY_SECONDS)
    alarms = tuple(sorted(notified()))
    return AlarmFacts(event=event, lines=len(lines), counted=counted(), notified=alarms)
