"""Extreme bodies by the thousand, each in a batch with an ordinary message."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from lambda_src import index
from tests.faults.inputs.generators import ExtremeBody, extreme_bodies
from tests.faults.inputs.trial import ANSWERS, EXTREME, Wrong, deliver, find_problems
from tests.faults.rules import Result, Rule, Violation
from tests.support.aws_account import (
    clients,
    create_queue,
    create_secrets,
    create_table,
    fake_openai,
    fake_twilio,
    mocked_account,
    variables,
)
from tests.support.channel import Channel
from tests.support.logs import Output, restore_loggers

SEED = 20_261_122
RULES = {
    Wrong.LOST: (Rule.SENT_IN_THE_END,),
    Wrong.DUPLICATED: (Rule.AT_MOST_ONCE,),
    Wrong.RECORD: (Rule.RECORD_IS_TRUE,),
    Wrong.LOGGED: (Rule.RECORD_IS_TRUE,),
    Wrong.SILENT: (),
}
"""The rules that a problem counts as."""


@dataclass(frozen=True, kw_only=True)
class BodiesResult(Result):
    """How many bodies were delivered, and how many of them were sent."""

    bodies: int
    sent: int


def run(
    bodies: int, on_progress: Callable[[int, int], None], *, from_seed: int = SEED
) -> BodiesResult:
    """Deliver so many extreme bodies to the real handler, and check what happened to each."""
    violations: list[Violation] = []
    sent = done = 0

    @seed(from_seed)
    @settings(
        max_examples=bodies, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(body=extreme_bodies(EXTREME), answer=st.sampled_from(ANSWERS))
    def deliver_one(body: ExtremeBody, answer: str) -> None:
        nonlocal sent, done
        with redirect_stdout(written):  # so that progress can be shown meanwhile
            after = deliver(channel, body, answer)
        sent += body.text not in after.failed
        violations.extend(
            Violation(
                subject=f"body {done} of seed {from_seed}",
                rules=RULES[wrong],
                what=f"{wrong}: {what}; the body ends with {body.text[-400:]!r}",
                is_unresolved=wrong is Wrong.SILENT,
            )
            for wrong, what in find_problems(body, after)
        )
        done += 1
        on_progress(done, bodies)

    written = StringIO()
    with _channel(written) as channel:
        deliver_one()
    return BodiesResult(bodies=done, sent=sent, violations=tuple(violations))


@contextmanager
def _channel(written: StringIO) -> Iterator[Channel]:
    with (
        mocked_account(),
        fake_openai() as openai,
        fake_twilio() as twilio,
        pytest.MonkeyPatch.context() as patch,
        restore_loggers(),
    ):
        queue_url, table = create_queue(), create_table()
        create_secrets()
        for name, value in variables(queue_url, table, openai, twilio).items():
            patch.setenv(name, value)

        def read() -> str:
            text = written.getvalue()
            written.seek(0)
            written.truncate()
            return text

        index.batch_handler.cache_clear()
        output = Output(read)
        with redirect_stdout(written):
            index.batch_handler()
        aws = clients()
        yield Channel(
            sqs=aws.sqs,
            dynamodb=aws.dynamodb,
            secretsmanager=aws.secretsmanager,
            queue_url=queue_url,
            table=table,
            openai=openai,
            twilio=twilio,
            read_log=output.log,
            read_metrics=output.metrics,
        )
        index.batch_handler.cache_clear()
