"""Errors are counted by kind: a closed set, of which each class of error chooses one."""

import pytest

from lambda_src.core import errors, send_errors, unforeseen
from lambda_src.core.errors import ProcessingError
from lambda_src.core.metric_names import Kind
from tests.unit.test_errors import TABLE

KINDS: dict[type[ProcessingError], Kind] = {
    errors.PermanentFailure: Kind.PERMANENT,
    errors.RecipientOptedOut: Kind.PERMANENT,
    errors.RecipientSuppressed: Kind.PERMANENT,
    errors.RecipientErased: Kind.PERMANENT,
    errors.TransientFailure: Kind.TRANSIENT,
    unforeseen.UnforeseenFailure: Kind.TRANSIENT,
    errors.RateLimited: Kind.RATE_LIMITED,
    errors.LedgerUnavailable: Kind.TRANSIENT,
    errors.LedgerRefused: Kind.TRANSIENT,
    errors.AccountRefused: Kind.ACCOUNT_REFUSED,
    errors.CredentialsRefused: Kind.ACCOUNT_REFUSED,
    errors.ReceivesUsedUp: Kind.USED_UP,
    errors.RecordForeign: Kind.PERMANENT,
    send_errors.SendOutcomeUnknown: Kind.PENDING,
    send_errors.SendOutcomePending: Kind.PENDING,
    send_errors.SendDeclaredUnknown: Kind.UNKNOWN,
    send_errors.FinalUpdateFailed: Kind.UNRECORDED,
    errors.LeaseLost: Kind.ELSEWHERE,
    errors.BusyElsewhere: Kind.ELSEWHERE,
    errors.AlreadyEnded: Kind.ENDED,
}


@pytest.mark.parametrize(("error", "kind"), KINDS.items())
def test_each_class_of_error_is_of_a_kind(error: type[ProcessingError], kind: Kind) -> None:
    """The closed set of kinds covers every error, and a new one must choose."""
    assert kind is error.kind
    assert set(TABLE) == set(KINDS)
