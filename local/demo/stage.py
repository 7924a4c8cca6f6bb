"""What every act of the demonstration needs."""

from collections.abc import Callable
from dataclasses import dataclass

from local.alerts import Alert
from local.channels import meant_by
from local.contexts import example
from local.demo.checks import Checks
from local.journey import Journey, Sighting
from local.screen import Screen
from local.stand_ins import PhoneMessage
from local.vendors import StandIns
from local.waiting import wait_for
from local.world import World

PATIENCE_SECONDS = 90
"""How long an act waits for something that is due within seconds."""


@dataclass(frozen=True)
class Stage:
    """A running local cloud, and where to show and check what happens in it.

    Attributes:
        world: the local cloud.
        stand_ins: its OpenAI and Twilio.
        screen: where acts are shown.
        checks: takes their claims.
    """

    world: World
    stand_ins: StandIns
    screen: Screen
    checks: Checks

    def send(self, name: str, *, conversation_id: str, recipient: str) -> Journey:
        """Put an example context object on the queue, and say so."""
        body = example(name, conversation_id=conversation_id, recipient=recipient)
        channel = meant_by(body, self.world.channels)
        queue = channel.resources.queue_url.rpartition("/")[2]
        self.screen.say(f"examples/contexts/{name}.json → {queue} ({len(body):,} bytes)", "dim")
        return Journey.begin(channel, body)

    def follow(
        self, journey: Journey, doing: str, until: Callable[[Sighting], bool] | None = None
    ) -> Sighting:
        """Wait for a message's end, or for what else is looked for.

        Args:
            journey: the message's.
            doing: what is awaited, for the screen.
            until: tells by a sighting whether the wait is over; the message's end by default.

        Returns:
            The last sighting.
        """
        with self.screen.step(doing):
            for sighting in journey.sightings(PATIENCE_SECONDS):
                if until and until(sighting):
                    break
        return sighting

    def phone(self, number: str) -> list[PhoneMessage]:
        """What a recipient's phone shows."""
        return self.stand_ins.twilio.phone(number)

    def await_alert(self, metric: str, doing: str) -> Alert | None:
        """Wait until the topic's subscriber is told of an alarm on a metric, and show it.

        Args:
            metric: namespace and name, joined by a slash.
            doing: what is awaited, for the screen.

        Returns:
            The notification; None when none came in time.
        """
        with self.screen.step(doing):
            alert = wait_for(lambda: self.world.alerts.alarm_on(metric), PATIENCE_SECONDS)
        if alert:
            self.screen.say(f"notification  {alert.subject}", "magenta")
            self.screen.say(alert.description, "dim")
        return alert
