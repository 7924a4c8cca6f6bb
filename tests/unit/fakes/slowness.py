"""Ports that take their time: one service as long as it may, the others hardly any."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambda_src.core import timing
from lambda_src.core.errors import LedgerUnavailable, ProcessingError, Step, TransientFailure
from lambda_src.core.send_errors import SendOutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.fakes.world import World


class Service(StrEnum):
    """Whom the runtime calls."""

    TABLE = "table"
    SECRETS = "secrets"
    QUEUE = "queue"
    AI = "ai"
    TWILIO = "twilio"


class Pace(StrEnum):
    """What the slow service does after as long as a call may take."""

    ANSWERS = "answers"
    HANGS = "hangs"
    LOSES_THE_ANSWER = "loses the answer"


@dataclass(frozen=True)
class Slowness:
    """Which service is slow, in which way, from which of its calls on; others take `quick` s."""

    service: Service
    pace: Pace
    skip: int
    quick: float


@dataclass
class SlowPort:
    """A port of the world, whose calls pass the world's time and are noted with the time left."""

    port: Any
    service: Service
    world: World
    slowness: Slowness
    calls: list[tuple[str, float]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The port's method of that name, which takes its time."""
        call = getattr(self.port, name)

        def paced(*args: Any, **options: Any) -> Any:
            is_slow = self._is_slow()
            self.calls.append((name, self.world.time_left()))
            self.world.clock.advance(self._longest(name, args) if is_slow else self.slowness.quick)
            if not is_slow or self.slowness.pace is Pace.ANSWERS:
                return call(*args, **options)
            if self.slowness.pace is Pace.LOSES_THE_ANSWER:
                call(*args, **options)
            if name != "show_again":  # which says nothing of its failures
                raise self._error(name)
            return None

        return paced

    def _is_slow(self) -> bool:
        return self.service is self.slowness.service and len(self.calls) >= self.slowness.skip

    def _longest(self, name: str, args: tuple[Any, ...]) -> float:
        match self.service:
            case Service.AI:
                longest: float = args[1].timeout + timing.AI_GRACE_SECONDS
                return longest
            case Service.TWILIO:
                return self.world.timing.twilio_timeout * (2 if name == "find" else 1)
        return timing.AWS_CALL_SECONDS

    def _error(self, name: str) -> ProcessingError:
        match self.service:
            case Service.TABLE:
                return LedgerUnavailable("ledger_unavailable", Step.CLAIM)
            case Service.TWILIO if name == "send":
                return SendOutcomeUnknown("twilio_answer_lost", Step.SEND)
        return TransientFailure(f"{self.service}_unavailable", Step.AI)


def slow_down(world: World, slowness: Slowness) -> dict[Service, SlowPort]:
    """Put a slow port before each of the world's."""
    names = {
        Service.TABLE: "conversations",
        Service.SECRETS: "secrets",
        Service.QUEUE: "queue",
        Service.AI: "writer",
        Service.TWILIO: "sender",
    }
    ports = {s: SlowPort(getattr(world, name), s, world, slowness) for s, name in names.items()}
    for service, port in ports.items():
        setattr(world, names[service], port)
    return ports
