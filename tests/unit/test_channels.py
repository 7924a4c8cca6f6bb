"""The channels' own parts: how they are found, and what SMS has of its own."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src import channels
from lambda_src.channels import parts_of
from lambda_src.channels.sms import (
    MAX_SEGMENTS,
    PARTS,
    REFUSALS,
    addresses,
    segments,
    transliterate,
)
from lambda_src.core.composer import validate_output
from lambda_src.core.contract import Step
from lambda_src.core.errors import ConfigurationRefused, PermanentFailure, RejectedContext
from lambda_src.core.models import Answer, OutgoingMessage
from lambda_src.core.ports import ChannelParts
from lambda_src.core.settings import ConfigurationError
from lambda_src.services.twilio.errors import classify
from lambda_src.utils.context_processor import ContextParser
from local.fakes.twilio.messages import segment_count
from tests.support.contexts import body, changed
from tests.support.fakes import ANSWER

NUMBER, RECIPIENT, SERVICE = "+15550100001", "+447700900123", f"MG{'a' * 32}"
SENDER_FIELD = "company_data_payload.channel_config.whatsapp.company_whatsapp_number"
parse = ContextParser("whatsapp", lambda _: True, PARTS.addressing)


def test_a_registered_channel_has_its_parts() -> None:
    """Its module defines them."""
    assert isinstance(parts_of("whatsapp"), ChannelParts)


@pytest.mark.parametrize("channel", ["pager", "whats-app", "", "..", "os.path"])
def test_an_unknown_channel_is_refused(channel: str) -> None:
    """The error has the path of the missing module."""
    with pytest.raises(ConfigurationError) as refused:
        parts_of(channel)
    assert f"CHANNEL: there is no lambda_src/channels/{channel}.py" in str(refused.value)


def test_a_module_without_parts_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error says what it must define."""
    (tmp_path / "pager.py").write_text("PARTS = None\n")
    monkeypatch.setattr(channels, "__path__", [str(tmp_path)])
    with pytest.raises(ConfigurationError, match=r"pager\.py defines no ChannelParts as PARTS"):
        parts_of("pager")
    del sys.modules["lambda_src.channels.pager"]


# --- SMS


def text(value: str) -> Answer:
    """Return an answer in free text."""
    return replace(ANSWER, text=value, variables={})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1),
        ("€" * 81, 2), ("ж" * 70, 1), ("ж" * 71, 2), ("ж" * 134, 2), ("ж" * 135, 3),
        ("🎂" * 35, 1), ("🎂" * 36, 2), ("é\n^" * 20, 1), ("ç" + "a" * 70, 2),
    ],
)  # fmt: skip
def test_segments_are_counted_as_they_are_billed(text: str, expected: int) -> None:
    """160 and 153 septets of GSM-7, 70 and 67 units of UCS-2; some characters take two."""
    assert expected == segments(text)


def test_no_character_is_split() -> None:
    """A character that takes two places starts the next segment if only one is left."""
    assert (2, 3) == (segment_count("a" * 152 + "€" * 77), segments("a" * 152 + "€" * 77))


@given(st.text(alphabet="aé€^ж🎂\n", max_size=400))
def test_segments_are_never_fewer_than_the_units_need(text: str) -> None:
    """A count that splits characters finds at most as many."""
    assert max(1, segment_count(text)) <= segments(text) <= 2 * max(1, segment_count(text))


@given(st.text(max_size=200))
def test_transliteration_is_idempotent(text: str) -> None:
    """A second one changes nothing."""
    assert transliterate(text) == transliterate(transliterate(text))


def test_a_typographic_character_does_not_double_the_price() -> None:
    """Curly quotes and dashes, which the AI likes, are replaced by plain ones."""
    written = "Amara – it’s “Spring Intake”…" + "\u00a0" + "a" * 100
    valid = validate_output(text(written), None, PARTS.text_rules).text
    assert valid.startswith('Amara - it\'s "Spring Intake"... a')
    assert (2, 1) == (segments(written), segments(valid))


@pytest.mark.parametrize(
    ("letter", "maximum"), [("a", 153 * MAX_SEGMENTS), ("ж", 67 * MAX_SEGMENTS)]
)
def test_a_messages_price_is_limited(letter: str, maximum: int) -> None:
    """One character too many is refused before anything is sent, without quoting the text."""
    assert validate_output(text(letter * maximum), None, PARTS.text_rules)
    with pytest.raises(PermanentFailure) as invalid:
        validate_output(text(letter * (maximum + 1)), None, PARTS.text_rules)
    assert f"the text has 5 segments, {MAX_SEGMENTS} are allowed" == invalid.value.detail


@pytest.mark.parametrize(
    ("sender", "parameter"), [(NUMBER, "from_"), (SERVICE, "messaging_service_sid")]
)
def test_a_number_or_a_messaging_service_sends(sender: str, parameter: str) -> None:
    """`company_sms_number` is one or the other, each with its own parameter."""
    assert sender == parse(body(changed(SENDER_FIELD, sender))).sender
    assert {"to": RECIPIENT, parameter: sender} == addresses(OutgoingMessage(sender, RECIPIENT))


@pytest.mark.parametrize("sender", ["MG1", f"SM{'a' * 32}", "whatsapp:+15550100001", "Harbour"])
def test_other_senders_are_rejected(sender: str) -> None:
    """The problem says what is expected."""
    with pytest.raises(RejectedContext) as rejected:
        parse(body(changed(SENDER_FIELD, sender)))
    (problem,) = rejected.value.problems
    assert ("sms_sender_malformed", SENDER_FIELD) == (problem.code, problem.field)
    assert "or a messaging service's sid" in problem.expected


@pytest.mark.parametrize("code", REFUSALS)
def test_its_own_refusals_are_permanent_or_due_to_configuration(code: int) -> None:
    """An alarm is raised for those that are due to our set-up, which are retried."""
    error = classify(400, code, Step.SEND, REFUSALS)
    is_set_up = code in {21659, 21660, 21661, 21701, 21703, 21704, 21705, 30034}
    assert (ConfigurationRefused if is_set_up else PermanentFailure) is type(error)
    assert (f"twilio_{code}", REFUSALS[code].detail) == (error.code, error.detail)
    assert is_set_up == error.alarm
