"""What DynamoDB's answers mean for a conversation's record."""

import pytest
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError, ParamValidationError

from lambda_src.core.errors import LedgerRefused, LedgerUnavailable, PermanentFailure, Step
from lambda_src.services.dynamodb_errors import UNAVAILABLE
from tests.services.dynamodb_answers import answering, failing
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.ledger_contract import CONTEXT
from tests.unit.samples import CLAIM, ENTRY, INTENT, SENT


@pytest.mark.parametrize("code", sorted(UNAVAILABLE))
def test_passing_error_is_unavailable(table: str, code: str) -> None:
    """An error after which the same call may succeed is told apart from a refusal."""
    with pytest.raises(LedgerUnavailable, match=code):
        answering(table, 400, code).record_sent(KEY, SENT)


@pytest.mark.parametrize("body", [b"<html>503</html>", b"", b"no healthy upstream", b"{}"])
@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_answer_that_is_not_the_tables_own_is_unavailable(
    table: str, status: int, body: bytes
) -> None:
    """What a balancer or proxy answers in the table's stead is told by its HTTP status."""
    with pytest.raises(LedgerUnavailable, match=str(status)):
        answering(table, status, body=body).record_sent(KEY, SENT)


def test_server_error_of_any_code_is_unavailable(table: str) -> None:
    """A code that nobody knows yet is the table's own trouble where the status says so."""
    with pytest.raises(LedgerUnavailable, match="NeverHeardOfException"):
        answering(table, 500, "NeverHeardOfException").record_sent(KEY, SENT)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_refused_call_is_refused(table: str, code: str) -> None:
    """An error that the same call meets again is a refusal, which a person may lift."""
    with pytest.raises(LedgerRefused, match=code):
        answering(table, 400, code).create(CONTEXT, CLAIM)


@pytest.mark.parametrize("error", [ConnectTimeoutError(endpoint_url="https://somewhere.example")])
def test_lost_connection_is_unavailable(table: str, error: Exception) -> None:
    """A table that cannot be reached is unavailable, and the address is not in the error."""
    with pytest.raises(LedgerUnavailable) as raised:
        failing(table, error).create(CONTEXT, CLAIM)

    assert "somewhere" not in str(raised.value)


def test_missing_credentials_are_no_refusal(table: str) -> None:
    """A function whose credentials are not there for a moment tries again."""
    with pytest.raises(LedgerUnavailable, match="NoCredentialsError"):
        failing(table, NoCredentialsError()).create(CONTEXT, CLAIM)


def test_item_that_is_too_large_fails_for_good(table: str) -> None:
    """DynamoDB's own word that an item is too large is a permanent failure, at its step."""
    message = "Item size has exceeded the maximum allowed size"
    grown = answering(table, 400, "ValidationException", message)

    with pytest.raises(PermanentFailure, match="record_too_large at claim"):
        grown.create(CONTEXT, CLAIM)
    with pytest.raises(PermanentFailure, match="record_too_large at send"):
        grown.begin_send(CLAIM, INTENT, ANSWER)


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
def test_item_that_is_refused_fails_for_good(table: str, code: str) -> None:
    """A first record that DynamoDB finds invalid is never valid: it is not tried again."""
    refusing = answering(table, 400, code, "an attribute name is empty")

    with pytest.raises(PermanentFailure, match="record_refused at claim") as raised:
        refusing.create(CONTEXT, CLAIM)

    assert code == raised.value.detail


def test_call_that_is_no_call_fails_for_good(table: str) -> None:
    """What the SDK itself will not send is as invalid, and its quotation is not passed on."""
    with pytest.raises(PermanentFailure, match="record_refused") as raised:
        failing(table, ParamValidationError(report="+15550100123")).create(CONTEXT, CLAIM)

    assert "+15550100123" not in str(raised.value)


def test_invalid_call_does_not_end_a_settlement(table: str) -> None:
    """A send of unknown outcome stays open, since its message may be on the phone."""
    with pytest.raises(LedgerRefused, match="ValidationException") as raised:
        answering(table, 400, "ValidationException").count_look(KEY, ENTRY)

    assert Step.SETTLE is raised.value.step
