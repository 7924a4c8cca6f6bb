"""Which conversation a request or a message is about, by what stands in it."""

import re

from local.stand_ins import RecordedCall

_ID = re.compile(r"soak-\d+-\d{4}")


def conversation_of_text(text: str) -> str:
    """The conversation that a message's text names; empty if it names none."""
    found = _ID.search(text)
    return found[0] if found else ""


def conversation_sent(call: RecordedCall) -> str:
    """The conversation whose message a request tells Twilio to send; empty if it does not."""
    return conversation_of_text(
        f"{call.body.get('ContentVariables', '')}{call.body.get('Body', '')}"
    )


def conversation_asked_about(call: RecordedCall) -> str:
    """The conversation for which a request asks the AI to write; empty if it does not."""
    if call.path != "/v1/responses":
        return ""
    return str(call.body.get("metadata", {}).get("conversation_id", ""))
