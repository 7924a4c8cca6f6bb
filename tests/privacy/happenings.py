"""Everything that can happen to messages with canaries in them, one function each."""

import json
from collections.abc import Callable, Iterator
from itertools import cycle

import pytest

from lambda_src.core.openai_processor import OpenAIProcessor
from lambda_src.services.twilio_service import TwilioSender
from lambda_src.utils.context_processor import ContextParser
from local.stand_ins.faults import Fault
from local.stand_ins.openai.errors import NAMED_FAULTS as OPENAI_ERRORS
from local.stand_ins.twilio.errors import NAMED_FAULTS as TWILIO_ERRORS
from tests.alarms.stories import miss_a_beat
from tests.privacy.canaries import MARK, MESSAGE, planted
from tests.privacy.messages import WORDS, body, deliver, misfit, quoting
from tests.services.channel import OPENAI_SECRET, TWILIO_SECRET, Channel
from tests.services.mishaps import refused
from tests.unit import contexts

WRONG = ((WORDS, [WORDS]), ({WORDS: WORDS}, None))
"""Values that few fields may have."""
IDS = frozenset({"conversation_id", "request_id"})
"""What logs name messages by, and so takes no canary."""
BROKEN = (
    Fault.reset(),
    Fault.reset(effect_applied=True),
    Fault.empty(),
    Fault.not_json(),
    Fault.error(500, "", WORDS),
    Fault.error(418, "", WORDS),
)


def send(channel: Channel) -> None:
    """Messages are sent, written by either engine."""
    deliver(channel, [body(), body(engine="assistants")])


def fail_at_openai(channel: Channel) -> None:
    """OpenAI answers with each of its errors, in words that quote the message."""
    for fault in (*OPENAI_ERRORS.values(), *BROKEN):
        channel.openai.fail_next(quoting(fault))
    deliver(
        channel, [body(engine=engine) for engine in ("responses", "assistants") for _ in range(30)]
    )


def write_badly(channel: Channel) -> None:
    """The AI refuses, stops, or writes what does not fit."""
    for fault in (Fault.refusal(), Fault.incomplete(), Fault.failed(), misfit({"9": WORDS})):
        channel.openai.fail_next(fault)
    deliver(channel, [body() for _ in range(5)])
    for text in ("", WORDS * 200):
        channel.openai.fail_next(misfit({**MESSAGE, "2": text}))
        deliver(channel, [body()])


def fail_at_twilio(channel: Channel) -> None:
    """Twilio answers with each of its errors, in words that quote the number."""
    faults = (*TWILIO_ERRORS.values(), *BROKEN)
    for fault in faults:
        channel.twilio.fail_next(quoting(fault))
    deliver(channel, [body() for _ in faults])


def settle(channel: Channel) -> None:
    """Sends stay open: found, not found, the list refused, and given up in the end."""
    bodies = [body() for _ in range(4)]
    for fault in (Fault.reset(effect_applied=True), Fault.reset(), Fault.empty(), Fault.reset()):
        channel.twilio.fail_next(fault)
        deliver(channel, [bodies.pop(0)])
    again = [body() for _ in range(2)]
    channel.twilio.fail_next(Fault.reset(), times=2)
    deliver(channel, again)
    for text in again:
        lapse(channel, text)
    channel.twilio.fail_next(quoting(Fault.error(400, 20404)))
    deliver(channel, again, receive_count=2)
    deliver(channel, again, receive_count=10)


def lapse(channel: Channel, text: str) -> None:
    """Let the time pass in which an announced send may still be under way."""
    document = json.loads(text)
    recipient = document["frontend_payload"]["recipient_data"]["recipient_tel"]
    conversation = document["conversation_data"]["conversation_id"]
    key = {"primary_channel": {"S": recipient}, "conversation_id": {"S": conversation}}
    channel.dynamodb.update_item(
        TableName=channel.table,
        Key=key,
        UpdateExpression="SET send_deadline = :past",
        ExpressionAttributeValues={":past": {"N": "0"}},
    )


def send_bad_input(channel: Channel) -> None:
    """Every field is missing, or holds a canary of the wrong kind; some bodies are no objects."""
    bodies = [f"{MARK} {{", json.dumps([MARK]), json.dumps(WORDS), f'{{"{MARK}": 1, "{MARK}": 2}}']
    for path, wrong in zip((*paths(planted()), MARK), cycle(WRONG)):
        if path.rpartition(".")[2] not in IDS:
            bodies += [body({path: value}) for value in wrong]
    bodies += [json.dumps(contexts.without(path, planted())) for path in paths(planted())]
    deliver(channel, bodies)


def spoil_secrets(channel: Channel) -> None:
    """The secrets are malformed in each way, hold other values, or are missing."""
    forms: tuple[object, ...] = (WORDS, [WORDS], {MARK: WORDS}, {"ai_api_key": WORDS})
    forms += ({"twilio_account_sid": WORDS, "twilio_auth_token": MARK}, {"ai_api_key": MARK})
    for name in (OPENAI_SECRET, TWILIO_SECRET):
        right = channel.secretsmanager.get_secret_value(SecretId=name)["SecretString"]
        for form in forms:
            channel.set_secret(name, json.dumps(form))
            start_cold()
            deliver(channel, [body()])
        channel.set_secret(name, right)
    missing = "company_data_payload.channel_config.whatsapp.whatsapp_credentials_id"
    for reference in (f"ai-multi-comms/dev/whatsapp-credentials/{MARK}", WORDS, f"../{MARK}"):
        deliver(channel, [body({missing: reference})])


def start_cold() -> None:
    """Forget what the function has cached."""
    from lambda_src import index  # noqa: PLC0415 - the handler under test, and no other

    index.batch_handler.cache_clear()


def lose_the_table(channel: Channel) -> None:
    """The table refuses each write, in words that quote it."""
    for operation, containing in (
        ("TransactWriteItems", ""),
        ("UpdateItem", "send_intent_at"),
        ("UpdateItem", "message_sid"),
        ("UpdateItem", ""),
    ):
        for code in ("InternalServerError", "AccessDeniedException", "ValidationException"):
            with refused(channel, operation, code, containing=containing):
                deliver(channel, [body()], seconds_left=50)


def lose_the_queue(channel: Channel) -> None:
    """The queue refuses to keep a message invisible."""
    miss_a_beat(channel)


def meet_the_unforeseen(channel: Channel) -> None:
    """Parts raise what nobody foresaw, with personal data in its text."""
    for part, method in (
        (ContextParser, "__call__"),
        (OpenAIProcessor, "write"),
        (TwilioSender, "send"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(part, method, _raising)
            deliver(channel, [body()])


def opt_out(channel: Channel) -> None:
    """A recipient opts out, and another message to them is turned away."""
    channel.twilio.fail_next(quoting(TWILIO_ERRORS["21610"]))
    text = body()
    other = json.loads(text)
    contexts.changed("conversation_data.conversation_id", "another", other)
    deliver(channel, [text])
    deliver(channel, [json.dumps(other)])


def _raising(*_: object, **__: object) -> None:
    raise ValueError(WORDS)


def paths(value: object, prefix: str = "") -> Iterator[str]:
    """The dotted paths of all fields."""
    if isinstance(value, dict):
        for name, part in value.items():
            if "." not in name:
                yield f"{prefix}{name}"
                yield from paths(part, f"{prefix}{name}.")


HAPPENINGS: tuple[Callable[[Channel], None], ...] = (
    send,
    fail_at_openai,
    write_badly,
    fail_at_twilio,
    settle,
    send_bad_input,
    spoil_secrets,
    lose_the_table,
    lose_the_queue,
    meet_the_unforeseen,
    opt_out,
)
"""All of it."""
