"""What Twilio's errors mean: certainly not sent, refused, or unknown."""

import pytest

from lambda_src.core.errors import (
    AccountRefused,
    CredentialsRefused,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    RecipientOptedOut,
    Step,
    TransientFailure,
)
from lambda_src.core.send_errors import SendOutcomeUnknown
from lambda_src.services.twilio_errors import meaning

CODES: dict[type[ProcessingError], list[tuple[int, int]]] = {
    RateLimited: [
        (429, 20429),
        (429, 63017),
        (429, 63018),
        (400, 21611),
        (400, 30001),
        (400, 63038),
        (400, 60728),
    ],
    SendOutcomeUnknown: [(500, 20500), (503, 20503), (502, 502), (504, 504), (400, 20500)],
    CredentialsRefused: [(401, 20003), (401, 20008), (401, 70051), (403, 20003)],
    AccountRefused: [(403, 20005), (403, 20403), (400, 30002)],
    TransientFailure: [(400, 63010), (400, 63012)],
    RecipientOptedOut: [(400, 21610), (400, 63014), (400, 63033)],
    PermanentFailure: [
        (400, code)
        for code in (
            *(21211, 21604, 21612, 21614, 63003, 63024),
            *(21212, 21603, 21606, 63007, 21408),
            *(21608, 63015),
            *(21602, 21617, 21619, 21658),
            *(21654, 21655, 21656, 63005, 63013, 63021, 63027, 63028, 63040, 63041, 63042),
            63016,
        )
    ],
}
CASES = [(status, code, kind) for kind, pairs in CODES.items() for status, code in pairs]
SENDER_SETUP = {21212, 21603, 21606, 63007, 21408}


@pytest.mark.parametrize(("status", "code", "kind"), CASES)
def test_each_documented_code_has_its_class(
    status: int, code: int, kind: type[ProcessingError]
) -> None:
    """The code says what must happen next, where the status leaves that open."""
    error = meaning(status, code, Step.SEND)
    assert kind is type(error)
    assert (f"twilio_{code}", Step.SEND) == (error.code, error.step)


@pytest.mark.parametrize(("status", "code", "kind"), CASES)
def test_a_person_is_called_where_only_a_person_helps(
    status: int, code: int, kind: type[ProcessingError]
) -> None:
    """For the account, the credentials and the sender's set-up; not for a recipient."""
    needs_person = issubclass(kind, AccountRefused) or code in SENDER_SETUP
    assert needs_person is meaning(status, code, Step.SEND).alarm


@pytest.mark.parametrize("code", [20500, 20503])
@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_a_code_that_may_mean_accepted_stays_unknown(code: int, status: int) -> None:
    """The code goes before the status: a message that may be accepted is not tried again."""
    assert SendOutcomeUnknown is type(meaning(status, code, Step.SEND))


@pytest.mark.parametrize("code", sorted({code for _, code, _ in CASES}))
@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_server_error_stays_unknown_whatever_its_code(code: int, status: int) -> None:
    """Twilio may have accepted the message before it failed: a retry could send it twice."""
    error = meaning(status, code, Step.SEND)
    assert (SendOutcomeUnknown, f"twilio_{code}") == (type(error), error.code)


@pytest.mark.parametrize(
    "code", ["To +15550100999 is wrong", "21211", True, 21211.0, None, [21211], 15550100999, -1, 0]
)
def test_what_is_no_code_never_reaches_the_error(code: object) -> None:
    """The status stands in its place, and judges alone."""
    error = meaning(400, code, Step.SEND)
    assert (PermanentFailure, "twilio_400") == (type(error), error.code)
    assert "PermanentFailure('twilio_400 at send: the request is refused')" == repr(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, PermanentFailure),
        (401, CredentialsRefused),
        (403, CredentialsRefused),
        (404, PermanentFailure),
        (408, SendOutcomeUnknown),
        (422, PermanentFailure),
        (429, RateLimited),
        (500, SendOutcomeUnknown),
        (502, SendOutcomeUnknown),
        (503, SendOutcomeUnknown),
        (504, SendOutcomeUnknown),
        (301, SendOutcomeUnknown),
        (200, SendOutcomeUnknown),
    ],
)
@pytest.mark.parametrize("code", [None, 99999, "status"])
def test_an_unknown_code_is_judged_by_its_status(
    status: int, code: int | str | None, kind: type[ProcessingError]
) -> None:
    """Without a code, with a new one, or with the status for a code as when there is no JSON."""
    number = status if isinstance(code, str) else code
    assert kind is type(meaning(status, number, Step.SEND))


def test_no_answer_of_twilio_means_that_it_was_sent() -> None:
    """Whatever the numbers: an error is refused, to be retried, or unknown."""
    for status in range(100, 600):
        assert isinstance(meaning(status, None, Step.SETTLE), ProcessingError)
