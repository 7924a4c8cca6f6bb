"""What the containers are exposed to: outages, a lagging list, changed secrets, and time."""

from dataclasses import dataclass, replace
from typing import ClassVar

from lambda_src.core.message import OutgoingMessage
from tests.faults.schedules.picking import pick
from tests.faults.schedules.surroundings import Surroundings
from tests.faults.schedules.troubles import SERVICES
from tests.unit import contexts
from tests.unit.fakes.writer import ANSWER

WAITS = (1, 5, 20, 95, 400, 1000)
"""Seconds that may pass: within a stall, a send's span, a lease, all looks, a visibility."""


@dataclass
class Weather:
    """Changes the weather, each public method of `ACTIONS` by an action of a schedule.

    `is_slow` tells whether the list catches up, and what is late arrives, only when a person comes.
    """

    ACTIONS: ClassVar = (
        "wait",
        "wait_for_queue",
        "outage",
        "lag",
        "change_secret",
        "mend_secrets",
        "foreign",
        "late",
    )

    world: Surroundings
    is_slow: bool = False

    def wait(self, which: int) -> None:
        """Time passes."""
        self.world.clock.advance(pick(WAITS, which))

    def wait_for_queue(self) -> None:
        """Time passes until a message is visible."""
        if queued := self.world.sqs.on_queue:
            self.world.clock.now = max(self.world.clock.now, queued[0].visible_at)

    def outage(self, which: int, calls: int) -> None:
        """A service does not answer the next calls."""
        self.world.down[pick(SERVICES, which)] = calls

    def lag(self) -> None:
        """The vendor's list begins to lag, or catches up."""
        if self.world.vendor.is_lagging:
            self.world.vendor.catch_up()
        else:
            self.world.vendor.lag()

    def change_secret(self, which: int) -> None:
        """A vendor, or the AI, takes another secret than the one stored."""
        if which:
            self.world.ai.api_key += "+"
        else:
            self.world.vendor.auth_token += "+"

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
        if not self.is_slow:
            self.catch_up()

    def catch_up(self) -> None:
        """What is late arrives, and is listed."""
        self.world.vendor.catch_up()
        while self.world.late:
            self.world.arrive(self.world.late[0])
