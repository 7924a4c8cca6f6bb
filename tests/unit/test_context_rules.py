"""What a context object must say before anything is sent: each rule has a code of its own."""

from functools import partial

import pytest

from lambda_src.services.secrets_manager_service import is_within
from lambda_src.utils.context_processor import ContextParser
from tests.unit import contexts
from tests.unit.contexts import body, changed, parse, valid, without
from tests.unit.test_context_structure import rejection

RECIPIENT = "frontend_payload.recipient_data.recipient_tel"
CONSENT = "frontend_payload.recipient_data.comms_consent"
METHOD = "frontend_payload.request_data.channel_method"
STATUS = "company_data_payload.project_status"
ALLOWED = "company_data_payload.allowed_channels"
SENDER = "company_data_payload.channel_config.whatsapp.company_whatsapp_number"
OPENAI_REFERENCE = "company_data_payload.ai_config.openai_config.whatsapp.api_key_reference"
TWILIO_REFERENCE = "company_data_payload.channel_config.whatsapp.whatsapp_credentials_id"


@pytest.mark.parametrize("path", [RECIPIENT, SENDER])
@pytest.mark.parametrize(
    "number",
    [
        "15550100123",
        "+05550100123",
        "+1",
        "+1555010012345678",
        "+1 555 010 0123",
        "+1-555-010-0123",
        "whatsapp:+15550100123",
        "+15550100123\n",
        "+١٥٥٥٠١٠٠١٢٣",
    ],
)
def test_phone_numbers_are_e164(path: str, number: str) -> None:
    """A plus, no leading zero, 2 to 15 ASCII digits, and nothing else."""
    error = rejection(changed(path, number))
    assert ("phone_not_e164", path) == (error.code, error.problems[0].field)


@pytest.mark.parametrize("number", ["+12", "+15550100123", "+447700900123", "+123456789012345"])
def test_e164_numbers_of_any_length_pass(number: str) -> None:
    """From 2 to 15 digits is a number."""
    assert number == parse(changed(RECIPIENT, number)).recipient


@pytest.mark.parametrize("consent", [False, "true", "yes", 1, None, [], {"given": True}])
def test_consent_is_true_and_nothing_like_it(consent: object) -> None:
    """Whatever is not the JSON value true is no consent."""
    error = rejection(changed(CONSENT, consent))
    assert ("consent_not_given", CONSENT) == (error.code, error.problems[0].field)


def test_consent_must_be_said() -> None:
    """A context object that says nothing of consent is incomplete, and sends nothing."""
    assert "context_invalid" == rejection(without(CONSENT)).code


@pytest.mark.parametrize("channel", ["sms", "email", "WhatsApp", "whatsapp "])
def test_another_channels_message_is_refused(channel: str) -> None:
    """A message of another channel was put on the wrong queue."""
    assert "wrong_channel" == rejection(changed(METHOD, channel)).code


def test_the_wrong_channel_explains_all_other_problems() -> None:
    """Another channel's message lacks this channel's parts; the code says why."""
    document = without("company_data_payload.channel_config.whatsapp", changed(METHOD, "sms"))
    error = rejection(document)
    assert "wrong_channel" == error.code
    assert 2 == len(error.problems)


@pytest.mark.parametrize("status", ["inactive", "paused", "Active", "active "])
def test_a_project_must_be_active(status: str) -> None:
    """A project of any other status sends nothing."""
    assert "project_not_active" == rejection(changed(STATUS, status)).code


@pytest.mark.parametrize("channels", [[], ["sms"], ["whatsapp_business"], ["WhatsApp"]])
def test_the_channel_must_be_allowed(channels: list[str]) -> None:
    """A project that does not name the channel sends nothing on it."""
    assert "channel_not_allowed" == rejection(changed(ALLOWED, channels)).code


@pytest.mark.parametrize("path", [OPENAI_REFERENCE, TWILIO_REFERENCE])
def test_secrets_of_others_are_refused(path: str) -> None:
    """A reference outside the channel's prefixes is refused while parsing."""
    error = rejection(changed(path, "ai-multi-comms/dev/sms-credentials/harbour"))
    assert ("secret_reference_refused", path) == (error.code, error.problems[0].field)


def test_problems_of_several_kinds_have_one_code() -> None:
    """Where the problems differ, the code says only that the context object is invalid."""
    document = changed(STATUS, "paused", changed(CONSENT, False))
    error = rejection(document)
    assert "context_invalid" == error.code
    assert {"consent_not_given", "project_not_active"} == {p.code for p in error.problems}


def test_the_same_model_reads_another_channel() -> None:
    """The names of a channel's fields follow the channel's name."""
    text = body(valid()).replace("whatsapp", "sms")
    prefixes = [prefix.replace("whatsapp", "sms") for prefix in contexts.SECRET_PREFIXES]
    parse_sms = ContextParser("sms", partial(is_within, prefixes=prefixes))
    assert contexts.SENDER == parse_sms(text).sender
