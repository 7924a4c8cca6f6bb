"""E-mail through Amazon SES: subject, text and HTML, from an identity of the company's."""

import os
import unicodedata
from functools import partial

from lambda_src.core import (
    ASSISTANTS_DIRECTORY,
    AddressFormat,
    Addressing,
    ChannelParts,
    ConfigurationError,
    Limit,
    OperatorParts,
    Settings,
    TextRules,
)
from lambda_src.services.ses.events import SesEvents
from lambda_src.services.ses.request import EMAIL_PATTERN, EMAIL_WORDS, problems_of
from lambda_src.services.ses_service import SesSender

CONFIGURATION_SET = "SES_CONFIGURATION_SET"
"""Environment variable: the configuration set whose events reach the channel's events queue."""
MAX_LENGTH = 20_000
"""Characters of subject and text together; mail programs cut HTML of more than 100 KB."""
MAX_CONVERSATION_ID_BYTES = 190
"""Their reference of 254 characters is a message tag's value, which has at most 256."""


def tidy(typed: str) -> str:
    """Return an address as people type it in the form that SES takes."""
    address = "".join(c for c in typed if unicodedata.category(c) != "Cf").strip()
    address = address.removeprefix("mailto:")
    name, at, domain = address.rpartition("@")
    try:
        return f"{name}{at}{domain.encode('idna').decode()}"
    except UnicodeError:
        return address


EMAIL = AddressFormat(
    "email_malformed",
    EMAIL_PATTERN,
    EMAIL_WORDS,
    tidy,
    # Mailboxes do not distinguish case, and an opt-out applies to all spellings.
    canonical=str.lower,
)
ADDRESSING = Addressing(sender=EMAIL, recipient_field="recipient_email", recipient=EMAIL)
EVENTS = SesEvents(ADDRESSING)


def make_sender(settings: Settings) -> SesSender:
    """Return the channel's sender.

    Raises:
        ConfigurationError: The environment names no configuration set.
    """
    configuration_set = os.environ.get(CONFIGURATION_SET, "")
    if not configuration_set:
        raise ConfigurationError(f"{CONFIGURATION_SET}: expected a configuration set's name")
    return SesSender(settings.send_timeout_seconds, configuration_set)


PARTS = ChannelParts(
    assistants=ASSISTANTS_DIRECTORY / "email",
    make_sender=make_sender,
    read_credentials=None,
    addressing=ADDRESSING,
    text_rules=TextRules(
        transliterate=partial(unicodedata.normalize, "NFC"),
        body=(Limit(MAX_LENGTH),),
        variables=(Limit(MAX_LENGTH),),
        keeps_line_breaks=True,
        required_variables=("subject", "text"),
        needs_template=False,
    ),
    vendor_events=EVENTS,
    has_message_list=False,
    operator=OperatorParts(vendor="Amazon SES"),
    check_context=problems_of,
    max_conversation_id_bytes=MAX_CONVERSATION_ID_BYTES,
)
