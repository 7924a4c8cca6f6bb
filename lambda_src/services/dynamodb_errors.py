"""What DynamoDB's errors mean for a conversation's record."""

from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.core.errors import LedgerRefused, LedgerUnavailable, PermanentFailure, Step
from lambda_src.core.ledger import ConditionFailed
from lambda_src.services.conversation_entry import to_entry
from lambda_src.services.conversation_item import LARGEST

UNAVAILABLE = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)
"""DynamoDB's errors after which the same call may succeed."""

T = TypeVar("T")


def translated(call: Callable[[], T]) -> T:
    """Call DynamoDB.

    Raises:
        ConditionFailed: The write's condition does not hold.
        LedgerUnavailable: DynamoDB did not answer, or the same call may succeed later.
        LedgerRefused: DynamoDB refuses the call.
        PermanentFailure: The record is too large.
    """
    try:
        return call()
    except ClientError as error:
        raise _meaning(error) from error
    except BotoCoreError as error:
        raise LedgerUnavailable("ledger_unavailable", Step.RECORD, type(error).__name__) from error


def too_large() -> PermanentFailure:
    """The error of a record that DynamoDB would not hold."""
    return PermanentFailure(
        "record_too_large", Step.CLAIM, f"the record may have {LARGEST} bytes at most"
    )


def _meaning(error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        old: Any = error.response.get("Item")
        return ConditionFailed(to_entry(old) if old else None)
    if code in UNAVAILABLE:
        return LedgerUnavailable("ledger_unavailable", Step.RECORD, code)
    if code == "ValidationException" and "size" in error.response["Error"].get("Message", ""):
        return too_large()
    return LedgerRefused("ledger_refused", Step.RECORD, code)
