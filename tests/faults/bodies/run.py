"""Extreme bodies by the thousand, for the full proof."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from lambda_src import index
from tests.faults.bodies.odd import Odd, odd_bodies
from tests.faults.bodies.trial import ANSWERS, ODD, Wrong, handled, problems
from tests.services.account import (
    create_queue,
    create_secrets,
    create_table,
    made_up_account,
    openai_stand_in,
    twilio_stand_in,
    variables,
)
from tests.services.channel import Channel
from tests.services.output import Output
from tests.unit.log_lines import restored_loggers

SEED = 20_261_122


@dataclass(frozen=True)
class Violation:
    """What must not be, and what it takes to see it again: the same seed and the same number."""

    wrong: Wrong
    words: str
    number: int
    seed: int
    beginning: str


@dataclass(frozen=True)
class BodiesResult:
    """What became of so many extreme bodies.

    Attributes:
        examples: How many were delivered, each with an ordinary message beside it.
        sent: How many of them were sent.
        violations: Everything that must not be.
    """

    examples: int
    sent: int
    violations: tuple[Violation, ...]

    @property
    def lost(self) -> int:
        """How often a message was lost."""
        return self._count(Wrong.LOST)

    @property
    def doubled(self) -> int:
        """How often a message was sent twice."""
        return self._count(Wrong.DOUBLED)

    @property
    def wrong(self) -> int:
        """How often a record was wrong, or the log told what it must not."""
        return self._count(Wrong.RECORD) + self._count(Wrong.TOLD)

    @property
    def unresolved(self) -> int:
        """How often a message failed without a word."""
        return self._count(Wrong.SILENT)

    def _count(self, wrong: Wrong) -> int:
        return Counter(violation.wrong for violation in self.violations)[wrong]


def run(
    examples: int, on_progress: Callable[[int, int], None], *, from_seed: int = SEED
) -> BodiesResult:
    """Deliver so many extreme bodies to the real handler, and look at what became of each.

    Args:
        examples: How many.
        on_progress: Told how many are done, and how many there are.
        from_seed: Where the bodies come from; the same seed gives the same bodies.
    """
    violations: list[Violation] = []
    sent = done = 0

    @seed(from_seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(odd=odd_bodies(ODD), answer=st.sampled_from(ANSWERS))
    def deliver(odd: Odd, answer: str) -> None:
        nonlocal sent, done
        after = handled(channel, odd, answer)
        sent += odd.text not in after.failed
        violations.extend(
            Violation(wrong, words, done, from_seed, repr(odd.text[-400:]))
            for wrong, words in problems(odd, after)
        )
        done += 1
        on_progress(done, examples)

    with _channel() as channel:
        deliver()
    return BodiesResult(done, sent, tuple(violations))


@contextmanager
def _channel() -> Iterator[Channel]:
    """A channel of its own, whose log is caught and not shown."""
    with (
        made_up_account(),
        openai_stand_in() as openai,
        twilio_stand_in() as twilio,
        pytest.MonkeyPatch.context() as patch,
        restored_loggers(),
    ):
        queue_url, table = create_queue(), create_table()
        create_secrets()
        for name, value in variables(queue_url, table, openai, twilio).items():
            patch.setenv(name, value)
        written = StringIO()

        def read() -> str:
            text = written.getvalue()
            written.seek(0)
            written.truncate()
            return text

        index.batch_handler.cache_clear()
        output = Output(read)
        with redirect_stdout(written):
            index.batch_handler()
        yield _Quiet(
            sqs=boto3.client("sqs"),
            dynamodb=boto3.client("dynamodb"),
            secretsmanager=boto3.client("secretsmanager"),
            queue_url=queue_url,
            table=table,
            openai=openai,
            twilio=twilio,
            read_log=output.log,
            read_metrics=output.metrics,
            written=written,
        )
        index.batch_handler.cache_clear()


@dataclass(frozen=True)
class _Quiet(Channel):
    """A channel whose handler writes where nobody sees it; progress may be shown meanwhile."""

    written: StringIO

    def deliver(self, *bodies: str, **options: Any) -> list[str]:
        """Deliver bodies as one batch, quietly."""
        with redirect_stdout(self.written):
            return super().deliver(*bodies, **options)
