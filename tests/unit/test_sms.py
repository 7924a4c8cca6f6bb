"""What is SMS's own: segments and what they cost, letters, addresses and refusals."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.channels.sms import MAX_SEGMENTS, PARTS, REFUSALS, addresses, segments, spell
from lambda_src.core.errors import PermanentFailure, Step
from lambda_src.core.message import Answer, OutgoingMessage, fit
from lambda_src.core.rejection import RejectedContext
from lambda_src.services.twilio_errors import meaning
from lambda_src.utils.context_processor import ContextParser
from local.stand_ins.twilio.segments import segment_count
from tests.unit.contexts import body, changed, valid
from tests.unit.fakes.writer import ANSWER

NUMBER, RECIPIENT, SERVICE = "+15550100001", "+447700900123", f"MG{'a' * 32}"
SENDER_FIELD = "company_data_payload.channel_config.whatsapp.company_whatsapp_number"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("ж" * 135, 3),
        ("🎂" * 35, 1),
        ("🎂" * 36, 2),
        ("é\n^" * 20, 1),
        ("ç" + "a" * 70, 2),
    ],
)
def test_segments_are_counted_as_they_are_billed(text: str, expected: int) -> None:
    """160 and 153 places of GSM-7, 70 and 67 of UCS-2; some characters take two."""
    assert expected == segments(text)


def test_no_character_is_split() -> None:
    """What takes two places goes to the next segment when only one is left."""
    assert 2 == segment_count("a" * 152 + "€" * 77)
    assert 3 == segments("a" * 152 + "€" * 77)


@given(st.text(alphabet="aé€^ж🎂\n", max_size=400))
def test_segments_are_never_fewer_than_the_places_ask_for(text: str) -> None:
    """Another way of counting, which splits characters, finds as many or one fewer a segment."""
    assert max(1, segment_count(text)) <= segments(text) <= 2 * max(1, segment_count(text))


@given(st.text(max_size=200))
def test_spelling_twice_changes_nothing(text: str) -> None:
    """A spelt text is left as it is, and is never longer to pay for."""
    assert spell(text) == spell(spell(text))


def test_a_typographic_character_does_not_double_the_price() -> None:
    """The AI likes curly quotes and dashes; a phone shows the plain ones as well."""
    written = "Amara – it’s “Spring Intake”…" + "\u00a0" + "a" * 100
    fitted = fit(_text(written), None, PARTS.text_rules).text
    assert fitted.startswith('Amara - it\'s "Spring Intake"... a')
    assert (2, 1) == (segments(written), segments(fitted))


@pytest.mark.parametrize(("letter", "most"), [("a", 153 * MAX_SEGMENTS), ("ж", 67 * MAX_SEGMENTS)])
def test_a_message_has_a_highest_price(letter: str, most: int) -> None:
    """One character too many is refused before anything is sent, by numbers and without text."""
    assert fit(_text(letter * most), None, PARTS.text_rules)
    with pytest.raises(PermanentFailure) as unfit:
        fit(_text(letter * (most + 1)), None, PARTS.text_rules)
    assert f"the text has 5 segments, {MAX_SEGMENTS} are allowed" == unfit.value.detail


def test_a_number_or_a_service_sends() -> None:
    """A plain number is Twilio's From, a messaging service has a parameter of its own."""
    assert {"to": RECIPIENT, "from_": NUMBER} == addresses(OutgoingMessage(NUMBER, RECIPIENT))
    expected = {"to": RECIPIENT, "messaging_service_sid": SERVICE}
    assert expected == addresses(OutgoingMessage(SERVICE, RECIPIENT))


@pytest.mark.parametrize("sender", [NUMBER, SERVICE])
def test_both_are_read_from_the_context_object(sender: str) -> None:
    """`company_sms_number` is one or the other."""
    assert sender == _parse(sender)


@pytest.mark.parametrize("sender", ["MG1", f"SM{'a' * 32}", "whatsapp:+15550100001", "Harbour"])
def test_other_senders_are_refused_in_words_for_both(sender: str) -> None:
    """The problem says what may stand there."""
    with pytest.raises(RejectedContext) as refused:
        _parse(sender)
    (problem,) = refused.value.problems
    assert ("sms_sender_malformed", SENDER_FIELD) == (problem.code, problem.field)
    assert "or a messaging service's sid" in problem.expected


@pytest.mark.parametrize("code", REFUSALS)
def test_its_own_refusals_are_permanent(code: int) -> None:
    """They end a message; what lies with our set-up calls a person."""
    error = meaning(400, code, Step.SEND, REFUSALS)
    assert isinstance(error, PermanentFailure)
    assert (f"twilio_{code}", REFUSALS[code].words) == (error.code, error.detail)
    assert (code in {21659, 21660, 21661, 21701, 21703, 21704, 21705, 30034}) == error.alarm


def _text(text: str) -> Answer:
    return replace(ANSWER, text=text, variables={})


def _parse(sender: str) -> str:
    parser = ContextParser("whatsapp", lambda _: True, PARTS.addressing)
    return parser(body(changed(SENDER_FIELD, sender, valid()))).sender
