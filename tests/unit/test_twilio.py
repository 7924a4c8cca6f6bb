"""Twilio: what its errors mean for a send, and which listed message is ours."""

import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.contract import Step
from lambda_src.core.errors import (
    AccountRefused,
    ConfigurationRefused,
    CredentialsRefused,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    RecipientOptedOut,
    SendOutcomeUnknown,
    TransientFailure,
)
from lambda_src.core.models import OutgoingMessage
from lambda_src.services.twilio.errors import classify
from lambda_src.services.twilio.lookup import MIN_DISTINCTIVE_CHARACTERS, matches

Kind = type[ProcessingError]
SENDER_SETUP = (20404, 21212, 21408, 21603, 21606, 63001, 63002, 63007, 63008, 63022)
TEMPLATE_SETUP = (21655, 63027, 63028, 63040, 63041, 63042)
RECIPIENT = (21211, 21604, 21612, 21614, 63003, 63024)
CONTENT = (21654, 21656, 63005, 63013, 63021)
OTHER_REFUSALS = (21608, 63015, 21602, 21617, 21619, 21658, 63016, 63049)
CODES: dict[Kind, dict[int, tuple[int, ...]]] = {
    RateLimited: {429: (20429, 63017, 63018), 400: (21611, 30001, 63038, 60728)},
    SendOutcomeUnknown: {500: (20500,), 503: (20503,), 502: (502,), 504: (504,), 400: (20500,)},
    CredentialsRefused: {401: (20003, 20008, 70051), 403: (20003,)},
    AccountRefused: {403: (20005, 20403), 400: (10001, 30002, 63020, 63051, 63112), 402: (402,)},
    ConfigurationRefused: {400: (*SENDER_SETUP, *TEMPLATE_SETUP), 404: (20404,)},
    TransientFailure: {400: (63010, 63012)},
    RecipientOptedOut: {400: (21610, 63014, 63033)},
    PermanentFailure: {400: (*RECIPIENT, *CONTENT, *OTHER_REFUSALS)},
}
"""Documented codes by their error class and HTTP status."""
CASES = [
    (status, code, kind)
    for kind, statuses in CODES.items()
    for status, codes in statuses.items()
    for code in codes
]


@pytest.mark.parametrize(("status", "code", "kind"), CASES)
def test_a_documented_code_determines_the_error(status: int, code: int, kind: Kind) -> None:
    """An alarm is raised for the account, its configuration, and a sender without a route."""
    error = classify(status, code, Step.SEND)
    assert (kind, f"twilio_{code}", Step.SEND) == (type(error), error.code, error.step)
    assert (issubclass(kind, AccountRefused) or code == 21612) is error.alarm


@pytest.mark.parametrize("code", [20500, 20503])
@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_a_code_that_may_mean_accepted_is_unknown(code: int, status: int) -> None:
    """Whatever the status: a message that may be accepted is not attempted again."""
    assert SendOutcomeUnknown is type(classify(status, code, Step.SEND))


@pytest.mark.parametrize("code", sorted({code for _, code, _ in CASES}))
@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_server_error_is_unknown(code: int, status: int) -> None:
    """Whatever its code: Twilio may have accepted the message before it failed."""
    error = classify(status, code, Step.SEND)
    assert (SendOutcomeUnknown, f"twilio_{code}") == (type(error), error.code)


@pytest.mark.parametrize(
    "code", ["To +15550100999 is wrong", "21211", True, 21211.0, None, [21211], 15550100999, -1, 0]
)
def test_text_that_is_not_a_code_never_reaches_the_error(code: object) -> None:
    """The status alone classifies it."""
    error = classify(400, code, Step.SEND)
    assert (PermanentFailure, "twilio_400") == (type(error), error.code)
    assert "PermanentFailure('twilio_400 at send: the request is refused')" == repr(error)


STATUSES: dict[Kind, tuple[int, ...]] = {
    PermanentFailure: (400, 409, 422),
    ConfigurationRefused: (404,),
    AccountRefused: (402,),
    CredentialsRefused: (401, 403),
    RateLimited: (429,),
    SendOutcomeUnknown: (408, 500, 502, 503, 504, 301, 200),
}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(status, kind) for kind, statuses in STATUSES.items() for status in statuses],
)
@pytest.mark.parametrize("code", [None, 99999, "status"])
def test_an_unknown_code_is_classified_by_its_status(
    status: int, code: int | str | None, kind: Kind
) -> None:
    """No code, a new one, or the status as the code, as without JSON."""
    number = status if isinstance(code, str) else code
    assert kind is type(classify(status, number, Step.SEND))


def test_every_status_is_an_error() -> None:
    """None means that the message was sent."""
    for status in range(100, 600):
        assert isinstance(classify(status, None, Step.SETTLE), ProcessingError)


# --- matching listed messages

NEWS = "Your application has arrived."
CHINESE = "我们已经收到了您的申请请问什么时候方便给您打电话"
THAI = "เราได้รับใบสมัครของคุณแล้วคุณสะดวกคุยเมื่อไหร่"
JAPANESE = "ご応募を受け付けました、いつお電話してもよろしいですか"
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
SPACES = st.sampled_from([" ", "  ", "\n", "\t", "\u00a0"])


def by_template(*values: str) -> OutgoingMessage:
    """Return a message with a template that has these values."""
    variables = {str(number): value for number, value in enumerate(values, start=1)}
    return OutgoingMessage("+15550100001", "+15550100002", variables=variables)


def as_text(body: str) -> OutgoingMessage:
    """Return a message of free text."""
    return OutgoingMessage("+15550100001", "+15550100002", body=body)


@st.composite
def values(draw: st.DrawFn) -> list[str]:
    """Distinctive values, of which no two share a word."""
    groups = draw(st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4))
    # A number and a long word make each value unlike the others and unlike any template.
    return [
        " ".join([*words, f"value{number}xxxxxxxxxxxxxxx"]) for number, words in enumerate(groups)
    ]


@pytest.mark.parametrize(
    ("listed", "variables"),
    [
        ("Hello Amara! Your application has arrived. Reply STOP", ("Amara", NEWS)),
        ("Your application has arrived. Hello, Amara", ("Amara", NEWS)),
        ("(Your application has arrived.) - Amara", ("Amara", NEWS)),
        ("Amara, Amara: Your application has arrived.", ("Amara", "Amara", NEWS)),
        ("Hello Also Al! Your application has arrived.", ("Al", NEWS)),
        ("R\u0065\u0301ne\u0301: Your application has arrived.", ("R\u00e9n\u00e9", NEWS)),
        ("Amara:\n Your  application\thas\u00a0arrived.", ("Amara", NEWS)),
        ("Your application has arrived.Reply STOP", (NEWS,)),
        ("您好王小明我们已经收到了您的申请请问什么时候方便给您打电话回复STOP", ("王小明", CHINESE)),
        ("สวัสดีคุณสมชายเราได้รับใบสมัครของคุณแล้วคุณสะดวกคุยเมื่อไหร่ตอบSTOP", ("สมชาย", THAI)),
        (
            "アマラさんこんにちはご応募を受け付けました、いつお電話してもよろしいですかSTOP",
            (JAPANESE,),
        ),
        ("Hello Amara我们已经收到了您的申请请问什么时候方便给您打电话STOP", ("Amara", CHINESE)),
    ],
)
def test_a_text_with_every_value_matches(listed: str, variables: tuple[str, ...]) -> None:
    """In any order and Unicode composition, with any space, between any punctuation."""
    assert matches(listed, by_template(*variables))


@pytest.mark.parametrize(
    ("listed", "variables"),
    [
        ("", ("Amara", NEWS)),
        ("Hello Amara! Your application was refused.", ("Amara", NEWS)),
        ("Hello Amara! your application has arrived.", ("Amara", NEWS)),
        ("Hello Also! Your application has arrived.", ("Al", NEWS)),
        ("Hello Pal! Your application has arrived.", ("Al", NEWS)),
        ("Hello al_1! Your application has arrived.", ("al", NEWS)),
        ("Hello कमी! Your application has arrived.", ("कम", NEWS)),
        ("Hello Amara! Your application has arrived.", ("Amara", "Amara", NEWS)),
        ("Hello you! Your application has arrived.", ("application has", NEWS)),
        ("您好李小明我们已经收到了您的申请请问什么时候方便给您打电话", ("王小明", CHINESE)),
        ("您好王小明我们没有收到您的申请请问什么时候方便给您打电话", ("王小明", CHINESE)),
        ("ขอบคุณเราได้รับใบสมัครของคุณแล้วคุณสะดวกคุยเมื่อไหร่่ครับ", (THAI,)),
    ],
)
def test_a_text_without_a_value_does_not_match(listed: str, variables: tuple[str, ...]) -> None:
    """A part of a longer word is no value, and values do not overlap."""
    assert not matches(listed, by_template(*variables))


@pytest.mark.parametrize(
    ("total", "expected"),
    [(MIN_DISTINCTIVE_CHARACTERS - 1, False), (MIN_DISTINCTIVE_CHARACTERS, True)],
)
def test_short_values_match_nothing(total: int, expected: bool) -> None:
    """A first name alone is in any message to that person."""
    name, rest = "Amara", "x" * (total - 5)
    assert expected is matches(f"Hello {name}! {rest}", by_template(name, rest))


def test_short_values_without_word_boundaries_match_nothing() -> None:
    """In a script without spaces, many short values are in any long text."""
    values = ("我们", "您的", "申请", "电话", "时候", "什么", "方便", "收到", "已经", "请问", "打")
    assert sum(map(len, values)) >= MIN_DISTINCTIVE_CHARACTERS
    assert not matches(CHINESE, by_template(*values))


@pytest.mark.parametrize(
    ("listed", "body", "expected"),
    [
        (NEWS, NEWS, True), (" Your  application\nhas\u00a0arrived.\r\n", NEWS, True),
        ("Re\u0301ne\u0301", "R\u00e9n\u00e9", True), (f"{NEWS} Again.", NEWS, False),
        (NEWS.upper(), NEWS, False), ("", NEWS, False), ("", "", False),
    ],
)  # fmt: skip
def test_free_text_matches_an_equal_text(listed: str, body: str, expected: bool) -> None:
    """Only space and Unicode composition may differ; an empty text matches nothing."""
    assert expected is matches(listed, as_text(body))


@given(values(), st.data())
def test_a_rendered_template_is_found(parts: list[str], data: st.DataObject) -> None:
    """Whatever the values and their order in the template."""
    shuffled = data.draw(st.permutations(parts))
    assert matches(f"Hello, {'; '.join(shuffled)}! Reply STOP.", by_template(*parts))


@given(values(), SPACES, st.sampled_from(["NFC", "NFD"]))
def test_space_and_composition_do_not_matter(parts: list[str], space: str, form: str) -> None:
    """Both may change on the way through the channel."""
    body = f"Hello {' - '.join(parts)} - bye"
    changed = unicodedata.normalize(form, body).replace(" ", space)  # type: ignore[arg-type]  # one of the forms
    assert matches(changed, by_template(*parts))
    assert matches(changed, as_text(body))


@given(values(), st.data())
def test_a_message_with_one_value_less_does_not_match(
    parts: list[str], data: st.DataObject
) -> None:
    """Every value must be in the text."""
    missing = data.draw(st.integers(0, len(parts) - 1))
    others = [value for number, value in enumerate(parts) if number != missing]
    assert not matches(f"Hello, {'; '.join(others)}! Reply STOP.", by_template(*parts))


@given(st.text(), st.dictionaries(st.text(), st.text(max_size=3), max_size=2))
def test_few_characters_never_match(listed: str, variables: Mapping[str, str]) -> None:
    """If the values have fewer characters than a distinctive message, nothing matches."""
    message = OutgoingMessage("+15550100001", "+15550100002", variables=variables)
    assert not matches(listed, message)
