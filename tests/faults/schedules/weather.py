"""What the containers are exposed to: outages, a lagging list, changed secrets, and time."""

from dataclasses import dataclass, replace
from typing import ClassVar

from lambda_src.core.message import OutgoingMessage
from tests.faults.schedules.picking import pick
from tests.faults.schedules.surroundings import Surroundings
from tests.unit import contexts
from tests.unit.fakes.writer import ANSWER


@dataclass
class Weather:
    """Changes the weather, each public method of `ACTIONS` by an action of a schedule.

    `is_late_last` tells whether the list catches up, and what is late arrives, only when a person
    comes in the end.
    """

    ACTIONS: ClassVar = (
        "wait",
        "wait_for_queue",
        "outage",
        "lag",
        "catch_up",
        "change_token",
        "change_key",
        "mend_secrets",
        "foreign",
        "late",
    )

    world: Surroundings
    is_late_last: bool = False

    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.world.clock.advance(seconds)

    def wait_for_queue(self) -> None:
        """Time passes until a message is visible."""
        if queued := self.world.sqs.on_queue:
            self.world.clock.now = max(self.world.clock.now, queued[0].visible_at)

    def outage(self, service: str, calls: int) -> None:
        """A service does not answer the next calls."""
        self.world.down[service] = calls

    def lag(self) -> None:
        """The vendor lists nothing any more that it accepts from now on."""
        if not self.world.vendor.is_lagging:
            self.world.vendor.lag()

    def catch_up(self) -> None:
        """The vendor's list catches up."""
        self.world.vendor.catch_up()

    def change_token(self) -> None:
        """The vendor takes another token than the one stored."""
        self.world.vendor.auth_token += "+"

    def change_key(self) -> None:
        """The AI takes another key than the one stored."""
        self.world.ai.api_key += "+"

    def mend_secrets(self) -> None:
        """What is stored is what the vendors take."""
        tokens = self.world.secrets.twilio_credentials.stored
        token = self.world.vendor.auth_token
        tokens[contexts.TWILIO_SECRET] = replace(tokens[contexts.TWILIO_SECRET], auth_token=token)
        self.world.secrets.openai_keys.stored[contexts.OPENAI_SECRET] = self.world.ai.api_key

    @property
    def are_secrets_right(self) -> bool:
        """Whether what is stored is what the vendors take."""
        token = self.world.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET].auth_token
        key = self.world.secrets.openai_keys.stored[contexts.OPENAI_SECRET]
        return (token, key) == (self.world.vendor.auth_token, self.world.ai.api_key)

    def foreign(self) -> None:
        """Somebody else sends another message to a recipient of ours."""
        variables = {**ANSWER.variables, "2": "Your parcel has been left with a neighbour."}
        message = OutgoingMessage(contexts.SENDER, contexts.RECIPIENT, variables=variables)
        self.world.vendor.accept_foreign(message)

    def late(self, which: int) -> None:
        """What a caller gave up waiting for happens."""
        self.world.arrive(pick(self.world.late, which))

    def clear_up(self) -> None:
        """Every fault passes."""
        self.world.down.clear()
        self.mend_secrets()
        if not self.is_late_last:
            self.end_lateness()

    def end_lateness(self) -> None:
        """What is late arrives, and is listed."""
        self.catch_up()
        while self.world.late:
            self.world.arrive(self.world.late[0])
