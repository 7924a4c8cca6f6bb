"""A soak: several hundred messages through the local cloud while everything fails."""

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from urllib.parse import urlsplit

from mypy_boto3_sqs import SQSClient
from mypy_boto3_sqs.literals import QueueAttributeNameType
from mypy_boto3_sqs.type_defs import MessageTypeDef

from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.time_budget import ACCOUNT_BACKOFF
from local import paths
from local.cloud import LocalCloud
from local.vendors import FakeVendors
from tests.faults.operator_decisions import Decision, OperatorAtDynamoDB, should_redrive
from tests.faults.rules import Location, Result
from tests.faults.soak.evidence import Facts, FunctionLog, collect, reconcile
from tests.faults.soak.faults import TOO_LATE, FaultInjection, FunctionProcesses, ProcessFault
from tests.faults.soak.plan import (
    CONCURRENCY,
    MAX_RECEIVE_COUNT,
    Arrival,
    Conversation,
    Plan,
    mapping_paused,
    shorten_times,
)

POLL_SECONDS = 0.5
QUIET_SECONDS = TOO_LATE + 2
"""After so long without a message on the queue, neither a worker nor a vendor is at work."""
TIMEOUT_SECONDS = ACCOUNT_BACKOFF.seconds(MAX_RECEIVE_COUNT - 1, base=1) + 100
"""A message whose account was refused at its last attempt to send waits longest: 24 minutes."""
OPERATOR_ROUNDS = 4
MAX_BATCH = 10
LATE_DUPLICATES = CONCURRENCY * MAX_BATCH
"""A whole batch for each process, so that each also writes out its last log lines."""
HIDDEN_SECONDS = 300
"""How long dead-letter messages are hidden at most while all of them are read."""
COUNTS: tuple[QueueAttributeNameType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
"""Exact ones, on the embedded AWS."""


class NotAtRestError(Exception):
    """Messages were still on the queue when the time for them was over."""


class SoakQueues:
    """What was put on the queue, and where it is."""

    def __init__(self, sqs: SQSClient, queue_url: str, dead_letter_queue_url: str) -> None:
        self._sqs = sqs
        self._queue = queue_url
        self._dead = dead_letter_queue_url
        self._sent: dict[str, Conversation] = {}

    def put(self, arrivals: Iterable[Arrival], *, is_tracked: bool = True) -> None:
        """Put context objects on the queue, each visible at its time."""
        arriving = iter(arrivals)
        while batch := list(itertools.islice(arriving, MAX_BATCH)):
            answer = self._sqs.send_message_batch(
                QueueUrl=self._queue,
                Entries=[
                    {"Id": str(n), "MessageBody": one.conversation.body, "DelaySeconds": one.after}
                    for n, one in enumerate(batch)
                ],
            )
            for entry in answer["Successful"] if is_tracked else ():
                self._sent[entry["MessageId"]] = batch[int(entry["Id"])].conversation

    def count(self) -> int:
        """Return how many messages are on the queue: visible, in flight or delayed."""
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=COUNTS)
        return sum(int(attributes["Attributes"][name]) for name in COUNTS)

    def await_rest(self, tell: Callable[[int], None]) -> None:
        """Wait until nothing is at work; `tell` is called with the number of messages.

        Raises:
            NotAtRestError: Messages stayed on the queue for too long.
        """
        begun = empty_since = time.monotonic()
        while (now := time.monotonic()) - empty_since < QUIET_SECONDS:
            count = self.count()
            tell(count)
            if count:
                empty_since = now
            if now - begun > TIMEOUT_SECONDS:
                raise NotAtRestError(f"{count} messages on the queue after {now - begun:.0f} s")
            time.sleep(POLL_SECONDS)

    def locations(self) -> dict[str, dict[str, Location]]:
        """Return where each message is, by conversation and message id; none is on the queue."""
        found = self._dead_letters()
        self._show(found)
        dead = {message["MessageId"] for message in found}
        locations: dict[str, dict[str, Location]] = defaultdict(dict)
        for id_, conversation in self._sent.items():
            location = Location.DEAD if id_ in dead else Location.DELETED
            locations[conversation.conversation_id][id_] = location
        return locations

    def redrive(self, conversation_ids: Container[str]) -> int:
        """Put these conversations' dead-letter messages on the queue again; return how many."""
        kept: list[MessageTypeDef] = []
        found = self._dead_letters()
        for message in found:
            conversation = self._sent.get(message["MessageId"])
            if conversation and conversation.conversation_id in conversation_ids:
                self.put([Arrival(conversation, 0)])
                handle = message["ReceiptHandle"]
                self._sqs.delete_message(QueueUrl=self._dead, ReceiptHandle=handle)
                del self._sent[message["MessageId"]]
            else:
                kept.append(message)
        self._show(kept)
        return len(found) - len(kept)

    def _dead_letters(self) -> list[MessageTypeDef]:
        """Return every dead-letter message, hidden until it is shown again."""
        found: list[MessageTypeDef] = []
        while batch := self._sqs.receive_message(
            QueueUrl=self._dead, MaxNumberOfMessages=MAX_BATCH, VisibilityTimeout=HIDDEN_SECONDS
        ).get("Messages"):
            found += batch
        return found

    def _show(self, messages: Iterable[MessageTypeDef]) -> None:
        for message in messages:
            self._sqs.change_message_visibility(
                QueueUrl=self._dead, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )


Rest = tuple[float, list[Facts]]
"""Every conversation at one moment (epoch seconds) at which no worker is at any."""


class Soak:
    """A soak through a local cloud that nothing else uses."""

    def __init__(
        self,
        cloud: LocalCloud,
        vendors: FakeVendors,
        plan: Plan,
        on_progress: Callable[[int, int], None],
    ) -> None:
        aws, resources = cloud.aws, cloud.resources
        self._cloud = cloud
        self._vendors = vendors
        self._plan = plan
        self._on_progress = on_progress
        self._queues = SoakQueues(aws.sqs, resources.queue_url, resources.dead_letter_queue_url)
        self._processes = FunctionProcesses(cloud.ministack.pid, urlsplit(aws.endpoint).port or 0)
        self._injection = FaultInjection(plan, self._processes, vendors, cloud.dynamodb_proxy)
        self._operator = OperatorAtDynamoDB(aws.dynamodb, resources.table)

    def run(self) -> Result:
        """Run it, and judge every rest; the last one is final.

        Raises:
            NotAtRestError: Messages stayed on the queue for minutes after the last fault.
        """
        with self._injection.running():
            self._put(self._plan.arrivals)
            while (count := self._queues.count()) and not self._injection.is_over:
                self._tell(count)
                time.sleep(POLL_SECONDS)
        rests = [self._rest()]
        while self._let_operator_act(rests[-1][1]) and len(rests) < OPERATOR_ROUNDS:
            rests.append(self._rest())
        self._put(self._late_duplicates(rests[-1][1]), is_tracked=False)
        return self._result([*rests, self._rest()], FunctionLog(self._cloud.channel.log()))

    def _put(self, arrivals: Sequence[Arrival], *, is_tracked: bool = True) -> None:
        with mapping_paused(self._cloud):
            self._queues.put(arrivals, is_tracked=is_tracked)

    def _rest(self) -> Rest:
        self._queues.await_rest(self._tell)
        now, releases = time.time(), self._operator.releases
        conversations = self._plan.conversations
        facts = collect(
            self._cloud, self._vendors, self._queues.locations(), conversations, releases
        )
        return now, facts

    def _let_operator_act(self, facts: Sequence[Facts]) -> int:
        """Let the operator decide every open send, then redrive; return how many were redriven."""
        for one in facts:
            if one.record.get("conversation_status") == Status.SEND_UNKNOWN:
                self._operator.decide(one.key, one.sids[-1] if one.sids else "", time.time())
        again = {
            one.key.conversation_id for one in facts if should_redrive(one.evidence(is_final=False))
        }
        with mapping_paused(self._cloud):
            return self._queues.redrive(again)

    def _late_duplicates(self, facts: Iterable[Facts]) -> list[Arrival]:
        sent = {one.key for one in facts if one.sids}
        again = [one for one in self._plan.conversations if one.key in sent]
        repeated = itertools.islice(itertools.cycle(again), LATE_DUPLICATES)
        return [Arrival(conversation, 0) for conversation in repeated]

    def _tell(self, count: int) -> None:
        arrivals = len(self._plan.arrivals)
        self._on_progress(max(0, arrivals - count), arrivals)

    def _result(self, rests: Sequence[Rest], log: FunctionLog) -> Result:
        final = log.completed(rests[-1][1])
        # The violations at any rest and at the end, each once.
        found = [v for at, facts in rests for v in reconcile(log.completed(facts, at))]
        found += reconcile(final, is_final=True)
        once = {(one.subject, one.rules, one.is_unresolved): one for one in found}
        happened, decisions = self._counts(final, log), self._operator.decisions
        return Result(
            violations=tuple(once.values()),
            size=f"{len(final):,} messages, {happened['kills']:,} kills",
            operator_needed=decisions[Decision.RECORDED] + decisions[Decision.RELEASED],
            happened=happened,
        )

    def _counts(self, final: Sequence[Facts], log: FunctionLog) -> dict[str, int]:
        injected, decisions = self._processes.injected, self._operator.decisions
        return {
            "duplicates": len(self._plan.arrivals) - len(final),
            "sent": sum(bool(one.sids) for one in final),
            "kills": injected[ProcessFault.KILL],
            "freezes": injected[ProcessFault.FREEZE],
            "failed requests": self._injection.count_failed(),
            "reconciled": log.count(LogEvent.SEND_SETTLED),
            "unknown": log.count(LogEvent.SEND_OUTCOME_UNKNOWN),
            "recorded by operator": decisions[Decision.RECORDED],
            "released by operator": decisions[Decision.RELEASED],
        }


def run(messages: int, seed: int, on_progress: Callable[[int, int], None]) -> Result:
    """Run a soak of so many conversations, whose plan the seed decides, and leave nothing behind.

    Raises:
        NotAtRestError: Messages stayed on the queue for minutes after the last fault.
        LocalCloudError: The local cloud did not start, or ended.
    """
    plan, vendors = Plan.drawn(messages, seed), FakeVendors()
    with LocalCloud(vendors, workdir=paths.CACHE / "soak") as cloud:
        shorten_times(cloud)
        return Soak(cloud, vendors, plan, on_progress).run()
