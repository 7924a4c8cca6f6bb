"""What a channel brings of its own, and how the runtime finds and heeds it."""

import sys
from pathlib import Path

import pytest

from lambda_src import channels
from lambda_src.channels import parts_of
from lambda_src.core.channel_parts import AddressForm, Addressing, ChannelParts
from lambda_src.core.rejection import RejectedContext
from lambda_src.core.settings import ConfigurationError
from lambda_src.utils.context_processor import ContextParser
from tests.unit.contexts import body, changed, valid

MAIL = AddressForm("mail_malformed", r"[^@\s]+@[^@\s]+", "an e-mail address")
BY_MAIL = Addressing(sender=MAIL, recipient_field="recipient_email", recipient=MAIL)
SENDER = "company_data_payload.channel_config.whatsapp.company_whatsapp_number"
RECIPIENT = "frontend_payload.recipient_data.recipient_email"


def by_mail() -> ContextParser:
    """Reads context objects of a channel that goes from mailbox to mailbox."""
    return ContextParser("whatsapp", lambda _: True, BY_MAIL)


def test_a_registered_channel_has_its_parts() -> None:
    """The file of the channel's name says what its runtime is made of."""
    assert isinstance(parts_of("whatsapp"), ChannelParts)


@pytest.mark.parametrize("channel", ["pager", "whats-app", "", "..", "os.path"])
def test_a_channel_without_a_file_is_refused_by_its_path(channel: str) -> None:
    """A function that is started for an unknown channel says which file it misses."""
    with pytest.raises(ConfigurationError) as refused:
        parts_of(channel)
    assert f"CHANNEL: there is no lambda_src/channels/{channel}.py" in str(refused.value)


def test_a_file_without_parts_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that forgot to say what the parts are is told so."""
    (tmp_path / "pager.py").write_text("PARTS = None\n")
    monkeypatch.setattr(channels, "__path__", [str(tmp_path)])
    with pytest.raises(ConfigurationError, match=r"pager\.py names no ChannelParts as PARTS"):
        parts_of("pager")
    del sys.modules["lambda_src.channels.pager"]


def test_a_channel_says_where_the_recipient_stands() -> None:
    """A conversation by e-mail is keyed by the mailbox, and needs no phone number."""
    document = changed(RECIPIENT, "amara@example.org", changed(SENDER, "jobs@example.org"))
    del document["frontend_payload"]["recipient_data"]["recipient_tel"]
    context = by_mail()(body(document))
    assert ("amara@example.org", "jobs@example.org") == (context.recipient, context.sender)
    assert "amara@example.org" == context.key.primary_channel
    assert "amara@example.org" == context.attributes["recipient_email"]


def test_an_address_of_another_form_is_refused_in_the_channels_words() -> None:
    """The problem names the field and what the channel expects there, and quotes nothing."""
    document = changed(RECIPIENT, "amara", changed(SENDER, "jobs@example.org"))
    with pytest.raises(RejectedContext) as refused:
        by_mail()(body(document))
    assert "mail_malformed" == refused.value.code
    (problem,) = refused.value.problems
    assert (RECIPIENT, "an e-mail address") == (problem.field, problem.expected)
    assert refused.value.key
    assert "amara" == refused.value.key.primary_channel


def test_a_recipient_that_another_channel_needs_may_be_missing() -> None:
    """Without the channel's own address, the problem names that field alone."""
    document = changed(SENDER, "jobs@example.org", valid())
    with pytest.raises(RejectedContext) as refused:
        by_mail()(body(document))
    assert [RECIPIENT] == [problem.field for problem in refused.value.problems]
