"""What `up` says of alarms."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from local.alerts import Alert
from local.up import Watch
from tests.local.shown import Shown

if TYPE_CHECKING:
    from local.world import World


@dataclass
class Inbox:
    """Notifications that a test writes itself."""

    received: list[Alert] = field(default_factory=list)

    def all_alerts(self) -> list[Alert]:
        """What has come so far."""
        return list(self.received)

    def receive(self, state: str) -> None:
        """Let the alarm tell that it went to a state."""
        subject = f'{state}: "dead-letters"'
        self.received.append(Alert(subject, "dead-letters", "Look there.", state, "why", "a/b"))


@dataclass
class AlarmedWorld:
    """A local cloud of which only the alerts matter."""

    alerts: Inbox


def test_alarms_are_told_once_and_so_is_their_end() -> None:
    """An alarm's beginning and end are each said once; that it starts as OK is not."""
    inbox, screen = Inbox(), Shown()
    watch = Watch(cast("World", AlarmedWorld(inbox)), screen)
    for state in ("OK", "ALARM", "OK"):
        inbox.receive(state)
        watch._show_alerts()
        watch._show_alerts()

    told = [line.strip() for line in screen.text().splitlines() if line.strip()]
    assert ['ALARM    ALARM: "dead-letters": Look there.', 'OVER     OK: "dead-letters"'] == told
