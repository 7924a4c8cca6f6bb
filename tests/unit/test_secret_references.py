"""Which secret references are the channel's own."""

import pytest

from lambda_src.services.secrets_manager_service import is_within
from tests.unit.contexts import OPENAI_SECRET, SECRET_PREFIXES, TWILIO_SECRET

ARN = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:"


@pytest.mark.parametrize(
    "reference",
    [
        OPENAI_SECRET,
        f"{OPENAI_SECRET}/harbour",
        TWILIO_SECRET,
        f"{TWILIO_SECRET}/second",
        f"{ARN}{OPENAI_SECRET}",
        f"{ARN}{OPENAI_SECRET}-AbC123",
        f"{ARN}{TWILIO_SECRET}-AbC123",
        f"{ARN.replace('aws', 'aws-cn')}{TWILIO_SECRET}",
    ],
)
def test_what_the_prefixes_own_is_within(reference: str) -> None:
    """A name below a prefix, or its ARN with or without suffix, is the channel's own."""
    assert is_within(reference, SECRET_PREFIXES)


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "/",
        "ai-multi-comms",
        "ai-multi-comms/prod/openai-api-key/whatsapp",
        "ai-multi-comms/dev/openai-api-key/sms",
        f"{OPENAI_SECRET}-2",
        f"{OPENAI_SECRET}2",
        f"{OPENAI_SECRET}-AbC123",
        f"{OPENAI_SECRET}/",
        f" {OPENAI_SECRET}",
        f"{OPENAI_SECRET}\n",
        f"other/{OPENAI_SECRET}",
        "ai-multi-comms/dev/whatsapp-credentials",
        "ai-multi-comms/dev/whatsapp-credentials/",
        "ai-multi-comms/dev/whatsapp-credentials-old/harbour",
        "ai-multi-comms/dev/whatsapp-credentials//harbour",
        "ai-multi-comms/dev/whatsapp-credentials/./harbour",
        "ai-multi-comms/dev/whatsapp-credentials/../openai-api-key/sms",
        "ai-multi-comms/dev/whatsapp-credentials/..",
        "ai-multi-comms/dev/whatsapp-credentials/%2e%2e/prod",
        "ai-multi-comms/dev/whatsapp-credentials/harbour\x00",
        f"{ARN}ai-multi-comms/dev/openai-api-key/sms-AbC123",
        f"{ARN}ai-multi-comms/dev/whatsapp-credentials/../secret-AbC123",
        f"{ARN}{OPENAI_SECRET}-2-AbC123",
        f"arn:aws:ssm:eu-west-2:123456789012:parameter:{TWILIO_SECRET}",
        f"arn:aws:secretsmanager:eu-west-2:123:secret:{TWILIO_SECRET}",
        f"{ARN}{ARN}{TWILIO_SECRET}",
        f"{OPENAI_SECRET}/{'x' * 512}",
    ],
)
def test_everything_else_is_not(reference: str) -> None:
    """Look-alikes, empty parts, dots, other services' ARNs and other names are refused."""
    assert not is_within(reference, SECRET_PREFIXES)


def test_no_prefix_owns_nothing() -> None:
    """Without prefixes there is no secret of one's own."""
    assert not is_within(OPENAI_SECRET, [])
