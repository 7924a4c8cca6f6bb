"""What DynamoDB's answers mean for a conversation's record."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from lambda_src.core import timing
from lambda_src.core.errors import LedgerRefused, LedgerUnavailable, PermanentFailure, Step
from lambda_src.core.in_time import within
from lambda_src.core.ledger import ConditionFailed
from lambda_src.services.conversation_entry import to_entry
from lambda_src.services.conversation_item import LARGEST

UNAVAILABLE = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
        # Of a cancelled transaction's parts: their reasons have names of their own.
        "ProvisionedThroughputExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)
"""DynamoDB's errors after which the same call may succeed, whatever their HTTP status
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html)."""

CONDITION_FAILED = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
"""How a condition fails: as a transaction's part, and as a write by itself."""

INVALID = frozenset({"SerializationException", "ValidationError", "ValidationException"})
"""DynamoDB's errors of a call that is wrong in itself, and so stays wrong."""

T = TypeVar("T")
Bar = Callable[[Mapping[str, Any]], Exception]
"""What it means that a recipient's mark does not let a transaction pass."""


def translated(step: Step, call: Callable[[], T], bar: Bar | None = None) -> T:
    """Call DynamoDB, on behalf of a step.

    Args:
        step: The step.
        call: A single write, or a transaction whose first part is about the conversation's record
            and whose second about its recipient's mark.
        bar: What to raise where it is the mark that does not let it pass.

    Raises:
        ConditionFailed: The write's condition does not hold.
        LedgerUnavailable: DynamoDB did not answer, or the same call may succeed later.
        LedgerRefused: DynamoDB refuses the call.
        PermanentFailure: The record is too large, or invalid.
        RecordForeign: The record found is not one of ours.
    """
    try:
        return within(timing.AWS_CALL_SECONDS, call)
    except TimeoutError as error:
        raise LedgerUnavailable("ledger_unavailable", step, "no answer in time") from error
    except ClientError as error:
        raise _of_parts(step, error, bar) or _meaning(step, error) from error
    except ParamValidationError as error:
        raise _invalid(step, type(error).__name__) from error
    except BotoCoreError as error:
        raise LedgerUnavailable("ledger_unavailable", step, type(error).__name__) from error


def too_large(step: Step) -> PermanentFailure:
    """The error of a record that DynamoDB would not hold."""
    detail = f"the record may have {LARGEST} bytes at most"
    return PermanentFailure("record_too_large", step, detail)


def _meaning(step: Step, error: ClientError) -> Exception:
    answer: Any = error.response
    code, message = answer["Error"]["Code"], answer["Error"].get("Message", "")
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in CONDITION_FAILED:
        return ConditionFailed(to_entry(answer["Item"], step) if "Item" in answer else None)
    if code in UNAVAILABLE or _is_passing(status):
        return LedgerUnavailable("ledger_unavailable", step, code or str(status))
    if code in INVALID and "size" in message:
        return too_large(step)
    if code in INVALID:
        return _invalid(step, code)
    return LedgerRefused("ledger_refused", step, code)


def _of_parts(step: Step, error: ClientError, bar: Bar | None) -> Exception | None:
    """What the first part means for which a transaction was cancelled; the record's goes first."""
    answer: Any = error.response
    reasons = answer.get("CancellationReasons", ())
    for position, reason in enumerate(reasons):
        if bar and position and reason["Code"] == "ConditionalCheckFailed":
            return bar(reason.get("Item", {}))
        if reason["Code"] != "None":
            return _meaning(step, _as_single(reason))
    return None


def _as_single(reason: Mapping[str, Any]) -> ClientError:
    answer: Any = {"Error": reason, **reason}
    return ClientError(answer, "TransactWriteItems")


def _is_passing(status: int) -> bool:
    # A balancer's or proxy's answer has no error code of DynamoDB's, only its HTTP status.
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS


def _invalid(step: Step, code: str) -> Exception:
    # Once the message may be on a phone, no invalid call makes it a failure.
    if step is Step.SETTLE:
        return LedgerRefused("ledger_refused", step, code)
    return PermanentFailure("record_refused", step, code)
