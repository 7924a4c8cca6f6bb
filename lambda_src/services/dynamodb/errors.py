"""Classification of DynamoDB's errors for a write to a conversation's record."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from lambda_src.core import (
    ConditionFailed,
    LedgerRefused,
    LedgerUnavailable,
    PermanentFailure,
    Step,
    call_with_deadline,
    time_budget,
)
from lambda_src.services.dynamodb.items import MAX_RECORD_BYTES, to_ledger_record

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
        # Codes of the parts of a cancelled transaction:
        "ProvisionedThroughputExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)
"""Codes after which the same request may succeed, whatever the HTTP status
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html)."""

CONDITION_FAILED = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
"""Codes of a failed condition: as part of a transaction, and of a single write."""

INVALID = frozenset({"SerializationException", "ValidationError", "ValidationException"})
"""Codes of a request that is invalid in itself, so that repeating it cannot succeed."""

T = TypeVar("T")


def map_errors(
    step: Step,
    call: Callable[[], T],
    restriction: Callable[[Mapping[str, Any]], Exception] | None = None,
) -> T:
    """Make a DynamoDB request within its deadline, and map its errors.

    Args:
        step: The step that makes the request.
        call: A single request, or a transaction whose first part concerns the conversation's
            record and whose other parts the recipient's suppression items.
        restriction: Returns the error for a suppression item that failed the transaction.

    Raises:
        ConditionFailed: The write's condition is not met.
        LedgerUnavailable: DynamoDB did not answer, or the same request may succeed later.
        LedgerRefused: DynamoDB refuses the request.
        PermanentFailure: The record is too large or invalid.
        UnrecognizedRecord: The record found is not in a state of this ledger.
    """
    try:
        return call_with_deadline(time_budget.AWS_CALL_SECONDS, call)
    except TimeoutError as error:
        raise LedgerUnavailable("ledger_unavailable", step, "no answer in time") from error
    except ClientError as error:
        raise _classify_transaction(step, error, restriction) or _classify(step, error) from error
    except ParamValidationError as error:
        raise _invalid_request(step, type(error).__name__) from error
    except BotoCoreError as error:
        raise LedgerUnavailable("ledger_unavailable", step, type(error).__name__) from error


def too_large(step: Step) -> PermanentFailure:
    """Return the error of a record that exceeds the size limit."""
    detail = f"the record may have {MAX_RECORD_BYTES} bytes at most"
    return PermanentFailure("record_too_large", step, detail)


def _classify(step: Step, error: ClientError) -> Exception:
    answer: Any = error.response
    code, message = answer["Error"]["Code"], answer["Error"].get("Message", "")
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in CONDITION_FAILED:
        return ConditionFailed(to_ledger_record(answer["Item"], step) if "Item" in answer else None)
    # A load balancer's or proxy's error has only an HTTP status.
    is_status_transient = (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    )
    if code in UNAVAILABLE or is_status_transient:
        return LedgerUnavailable("ledger_unavailable", step, code or str(status))
    if code in INVALID and "size" in message:
        return too_large(step)
    if code in INVALID:
        return _invalid_request(step, code)
    return LedgerRefused("ledger_refused", step, code)


def _classify_transaction(
    step: Step,
    error: ClientError,
    restriction: Callable[[Mapping[str, Any]], Exception] | None,
) -> Exception | None:
    """Classify the first failed part of a cancelled transaction: the record's precedes."""
    answer: Any = error.response
    for position, reason in enumerate(answer.get("CancellationReasons", ())):
        if restriction and position and reason["Code"] == "ConditionalCheckFailed":
            return restriction(reason.get("Item", {}))
        if reason["Code"] != "None":
            part: Any = {"Error": reason, **reason}
            return _classify(step, ClientError(part, "TransactWriteItems"))
    return None


def _invalid_request(step: Step, code: str) -> Exception:
    # A message that may have been sent must not become a failure because of an invalid request.
    if step is Step.SETTLE:
        return LedgerRefused("ledger_refused", step, code)
    return PermanentFailure("record_refused", step, code)
