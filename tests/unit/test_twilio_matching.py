"""Whether a message that Twilio lists is the one that was announced."""

import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.message import OutgoingMessage
from lambda_src.services.twilio_matching import LEAST_TELLING, is_same

NEWS = "Your application has arrived."
CHINESE = "我们已经收到了您的申请请问什么时候方便给您打电话"
THAI = "เราได้รับใบสมัครของคุณแล้วคุณสะดวกคุยเมื่อไหร่"
JAPANESE = "ご応募を受け付けました、いつお電話してもよろしいですか"
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
SPACES = st.sampled_from([" ", "  ", "\n", "\t", "\u00a0"])


def by_template(*values: str) -> OutgoingMessage:
    """A message whose template has these values."""
    variables = {str(number): value for number, value in enumerate(values, start=1)}
    return OutgoingMessage("+15550100001", "+15550100002", variables=variables)


def as_text(body: str) -> OutgoingMessage:
    """A message of free text."""
    return OutgoingMessage("+15550100001", "+15550100002", body=body)


@st.composite
def values(draw: st.DrawFn) -> list[str]:
    """Values that tell a message apart: no two share a word."""
    groups = draw(st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4))
    # A mark of its own and a long word make each value unlike the others and like no template.
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
def test_a_text_that_holds_every_value_matches(listed: str, variables: tuple[str, ...]) -> None:
    """In any order and composition, with any space, between any punctuation."""
    assert is_same(listed, by_template(*variables))


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
def test_a_text_that_lacks_a_value_does_not_match(listed: str, variables: tuple[str, ...]) -> None:
    """A part of a longer word is no value, and no two values stand in one place."""
    assert not is_same(listed, by_template(*variables))


@pytest.mark.parametrize(("total", "expected"), [(LEAST_TELLING - 1, False), (LEAST_TELLING, True)])
def test_values_that_tell_too_little_match_nothing(total: int, expected: bool) -> None:
    """A first name alone stands in any message to that person."""
    name, rest = "Amara", "x" * (total - 5)
    assert expected is is_same(f"Hello {name}! {rest}", by_template(name, rest))


def test_short_values_that_nothing_bounds_tell_nothing() -> None:
    """Where words have no blanks between them, many short values stand in any long text."""
    values = ("我们", "您的", "申请", "电话", "时候", "什么", "方便", "收到", "已经", "请问", "打")
    assert sum(map(len, values)) >= LEAST_TELLING
    assert not is_same(CHINESE, by_template(*values))


@pytest.mark.parametrize(
    ("listed", "body", "expected"),
    [
        (NEWS, NEWS, True),
        (" Your  application\nhas\u00a0arrived.\r\n", NEWS, True),
        ("Re\u0301ne\u0301", "R\u00e9n\u00e9", True),
        (f"{NEWS} Again.", NEWS, False),
        (NEWS.upper(), NEWS, False),
        ("", NEWS, False),
        ("", "", False),
    ],
)
def test_free_text_matches_its_equal(listed: str, body: str, expected: bool) -> None:
    """Nothing but space and composition may differ, and an empty text is no message's."""
    assert expected is is_same(listed, as_text(body))


@given(values(), st.data())
def test_a_rendered_template_is_found(told: list[str], data: st.DataObject) -> None:
    """Whatever the values and the order in which a template says them."""
    said = data.draw(st.permutations(told))
    assert is_same(f"Hello, {'; '.join(said)}! Reply STOP.", by_template(*told))


@given(values(), SPACES, st.sampled_from(["NFC", "NFD"]))
def test_space_and_composition_do_not_matter(told: list[str], space: str, form: str) -> None:
    """On their way through the channel a text's blanks and accents may change their form."""
    body = f"Hello {' - '.join(told)} - bye"
    changed = unicodedata.normalize(form, body).replace(" ", space)  # type: ignore[arg-type]  # one of the forms
    assert is_same(changed, by_template(*told))
    assert is_same(changed, as_text(body))


@given(values(), st.data())
def test_a_message_with_one_value_less_is_another(told: list[str], data: st.DataObject) -> None:
    """Every value must stand in the text."""
    missing = data.draw(st.integers(0, len(told) - 1))
    said = [value for number, value in enumerate(told) if number != missing]
    assert not is_same(f"Hello, {'; '.join(said)}! Reply STOP.", by_template(*told))


@given(st.text(), st.dictionaries(st.text(), st.text(max_size=3), max_size=2))
def test_little_text_never_matches(listed: str, variables: Mapping[str, str]) -> None:
    """Of any text, when the values have fewer characters than tell a message."""
    message = OutgoingMessage("+15550100001", "+15550100002", variables=variables)
    assert not is_same(listed, message)
