"""The vendors' ports, measured: what a call took, and what it used up."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lambda_src.core.message import Answer, Assignment, OutgoingMessage
from lambda_src.core.metric_names import Metric
from lambda_src.core.ports import Credentials, Metrics, Sender, Writer

Stopwatch = Callable[[], float]
"""Seconds since any moment, of which only differences count."""


@dataclass(frozen=True, slots=True)
class MeasuredWriter:
    """The port `Writer` over another one: the seconds of each call, and the tokens of its answer.

    A call that fails took its time too; tokens are known of answers only.
    """

    writer: Writer
    metrics: Metrics
    stopwatch: Stopwatch = time.perf_counter

    def write(self, api_key: str, assignment: Assignment) -> Answer:
        """Let the other one write."""
        with _measured(self.metrics, Metric.AI_SECONDS, self.stopwatch):
            answer = self.writer.write(api_key, assignment)
        self.metrics.measure(Metric.PROMPT_TOKENS, answer.usage.prompt_tokens)
        self.metrics.measure(Metric.COMPLETION_TOKENS, answer.usage.completion_tokens)
        return answer


@dataclass(frozen=True, slots=True)
class MeasuredSender:
    """The port `Sender` over another one: the seconds of each request to send."""

    sender: Sender
    metrics: Metrics
    stopwatch: Stopwatch = time.perf_counter

    def send(self, credentials: Credentials, message: OutgoingMessage) -> str:
        """Let the other one send."""
        with _measured(self.metrics, Metric.SEND_SECONDS, self.stopwatch):
            return self.sender.send(credentials, message)

    def find(
        self, credentials: Credentials, message: OutgoingMessage, *, since: float
    ) -> tuple[str, ...]:
        """Let the other one look; not measured."""
        return self.sender.find(credentials, message, since=since)


@contextmanager
def _measured(metrics: Metrics, metric: Metric, stopwatch: Stopwatch) -> Iterator[None]:
    began = stopwatch()
    try:
        yield
    finally:
        metrics.measure(metric, stopwatch() - began)
