"""The person on duty, at the local cloud: letters and records to work on, and the tool."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import boto3

from lambda_src.core.contract import Status
from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.secret_forms import twilio_credentials
from local.channel import RecordKey
from local.dynamodb_gateway import Refusal
from local.queue_view import held_by
from local.stand_ins import Fault, Match, PhoneMessage
from local.stand_ins.fault_plan import Rule
from local.vendors import MADE_UP, StandIns
from local.waiting import wait_for
from local.world import World
from ops.desk import Desk
from ops.lookup import find_one
from ops.screen import Screen
from ops.unknown_send import UnknownSend
from tests.local.world.traffic import PATIENCE_SECONDS
from tests.ops import mixture
from tests.ops.tool import Tool
from tests.privacy.test_opt_outs import to
from tests.services.channel import context

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType


@dataclass(frozen=True)
class Affair:
    """A conversation that somebody on duty may have to do with.

    Attributes:
        key: Where its record stands.
        body: The context object.
    """

    key: RecordKey
    body: str

    @property
    def id(self) -> str:
        """The conversation's."""
        return self.key.conversation_id

    @property
    def number(self) -> str:
        """The recipient's."""
        return self.key.primary_channel


@dataclass(frozen=True)
class Duty(Tool):
    """One test's view of the local cloud: what it makes is of a tenant of its own.

    Attributes:
        world: The local cloud.
        stand_ins: Its vendors.
        session: Makes the tool's clients.
        company: The tenant.
        numbers: Recipients whom nobody has written to.
    """

    world: World
    stand_ins: StandIns
    session: boto3.Session
    company: str
    numbers: Iterator[str]

    def affair(self, kind: str = "untouched", number: str = "") -> Affair:
        """Bring a conversation into a state of `tests.ops.mixture`, with the runtime's writes."""
        number = number or next(self.numbers)
        conversation = f"{self.company}#{kind}#{number[-4:]}"
        body = context(to(number), self._of_company, conversation_id=conversation)
        mixture.KINDS[kind].make(mixture.World(self._table, self._desk.deployment.parse(body)))
        return Affair(RecordKey(number, conversation), body)

    def bury(self, *affairs: Affair) -> None:
        """Put their messages among the dead letters."""
        for affair in affairs:
            self.put(affair, self.world.resources.dead_letter_queue_url)

    def dead(self, *kinds: str) -> list[Affair]:
        """Conversations in these states, whose messages are dead letters."""
        affairs = [self.affair(kind) for kind in kinds]
        self.bury(*affairs)
        return affairs

    def put(self, affair: Affair, queue_url: str) -> None:
        """Put an affair's message on a queue."""
        self.world.aws.sqs.send_message(QueueUrl=queue_url, MessageBody=affair.body)

    def letters(self) -> list[str]:
        """The bodies of this tenant's dead letters, whoever has them in hand."""
        return self._held(self.world.resources.dead_letter_queue_url)

    def letters_in_hand(self) -> int:
        """How many dead letters, of any tenant, are not to be seen for now."""
        name: QueueAttributeNameType = "ApproximateNumberOfMessagesNotVisible"
        attributes = self.world.aws.sqs.get_queue_attributes(
            QueueUrl=self.world.resources.dead_letter_queue_url, AttributeNames=[name]
        )["Attributes"]
        return int(attributes[name])

    def queued(self) -> list[str]:
        """The bodies of this tenant's messages on the queue."""
        return self._held(self.world.resources.queue_url)

    def record(self, affair: Affair) -> dict[str, Any]:
        """A conversation's record, empty while there is none."""
        return self.world.channel.record(affair.key)

    def status(self, affair: Affair) -> str:
        """What its record says, empty while there is none."""
        return str(self.record(affair).get("conversation_status", ""))

    def actions(self, affair: Affair) -> list[Mapping[str, str]]:
        """What people did to it."""
        return list(self.record(affair).get("operator_actions", []))

    def phone(self, affair: Affair) -> list[PhoneMessage]:
        """What the recipient sees."""
        return self.stand_ins.twilio.phone(affair.number)

    def await_sent(self, *affairs: Affair) -> None:
        """Wait until the messages are on the phones and recorded, each once."""
        sent = [Status.SENT] * len(affairs)
        assert wait_for(lambda: sent == [*map(self.status, affairs)], PATIENCE_SECONDS)
        assert wait_for(lambda: not self.queued(), PATIENCE_SECONDS)
        assert [1] * len(affairs) == [len(self.phone(affair)) for affair in affairs]

    def refuse_once(
        self, operation: str, refusal: Refusal, *, after: int = 0, containing: str = ""
    ) -> None:
        """Let DynamoDB refuse one call about this tenant, after so many of its kind."""
        meant = Match(paths=(f"/{operation}",), contains=containing or self.company)
        self.world.gateway.add_rule(Rule(refusal.fault(), meant, skip=after))

    def slow_down(self, operation: str, *, seconds: float, containing: str) -> None:
        """Let DynamoDB take its time for one call."""
        meant = Match(paths=(f"/{operation}",), contains=containing)
        self.world.gateway.add_rule(Rule(Fault.slow(seconds), meant))

    def send_unseen(self, affair: Affair) -> str:
        """Let Twilio have sent an affair's message without our knowing; return its sid."""
        deployment = self._desk.deployment
        record = find_one(self._desk.register, affair.id, affair.number)
        sender = deployment.parts.make_sender(deployment.settings)
        credentials = twilio_credentials(json.loads(MADE_UP.twilio_secret))
        message = UnknownSend.of(record, deployment.channel).message
        return sender.send(credentials, replace(message, template_sid=MADE_UP.template_sid or ""))

    def await_quiet(self) -> None:
        """Wait until no channel's queue holds anything: what is in flight may be anybody's."""
        urls = [channel.resources.queue_url for channel in self.world.channels.values()]
        held = partial(held_by, self.world.aws)
        assert wait_for(lambda: not any(map(held, urls)), PATIENCE_SECONDS)

    def environment(self) -> dict[str, str]:
        """The variables that lead the tool here, to DynamoDB through the gateway."""
        return {
            **self.world.aws.command_environment(),
            **self.stand_ins.function_environment(),
            "AWS_ENDPOINT_URL_DYNAMODB": self.world.gateway.url,
        }

    @cached_property
    def _desk(self) -> Desk:
        return Desk("dev", "whatsapp", is_local=False, screen=Screen())

    @cached_property
    def _table(self) -> ConversationsTable:
        return ConversationsTable(
            self.world.aws.dynamodb, self.world.resources.table, "1.0.0", channel="whatsapp"
        )

    def _of_company(self, document: dict[str, Any]) -> None:
        document["frontend_payload"]["company_data"]["company_id"] = self.company
        document["company_data_payload"]["company_id"] = self.company

    def _held(self, queue_url: str) -> list[str]:
        bodies = (held.body for held in held_by(self.world.aws, queue_url))
        return [body for body in bodies if json.dumps(self.company) in body]
