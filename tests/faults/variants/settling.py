"""Variants that mistake what may be made of a send whose outcome is unknown."""

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import Step, TransientFailure
from lambda_src.core.ledger import Claim, Entry, Failure
from lambda_src.core.send_errors import SendDeclaredUnknown
from lambda_src.core.settlement import Settlement
from tests.faults.variants.around_conversations import AroundConversations


class OthersIgnored(AroundConversations):
    """A message like ours that the vendor lists is ours."""

    def others(self, key: RecordKey) -> tuple[Entry, ...]:  # noqa: ARG002 - nobody is asked for
        """None."""
        return ()


class AbsentIsUnsent(Settlement):
    """What the vendor does not list, however often it is looked for, was not sent."""

    def _declare_unknown(
        self,
        delivery: Delivery,  # noqa: ARG002 - nobody is told
        entry: Entry,
    ) -> None:
        claim = Claim(entry.key, entry.owner, entry.attempt, 0.0, entry.created_at)
        failure = Failure(Status.RETRY, "not_found_at_vendor", Step.SETTLE, "", self.clock())
        self.conversations.record_failure(claim, failure)
        raise TransientFailure(failure.code, Step.SETTLE)


class AlarmedLate(Settlement):
    """A person is called once the record says so, by whoever gets as far as that."""

    def _declare_unknown(
        self,
        delivery: Delivery,  # noqa: ARG002 - it is told of by the batch, at the very end
        entry: Entry,
    ) -> None:
        unknown = SendDeclaredUnknown("not_found_at_vendor", Step.SETTLE)
        failure = Failure(Status.SEND_UNKNOWN, unknown.code, unknown.step, "", self.clock())
        self.conversations.declare_unknown(entry.key, failure, entry)
        raise unknown
