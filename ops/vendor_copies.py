"""What the vendors store of a conversation: found by its record's ids, and deleted there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambda_src.core import (
    AccountRefused,
    Engine,
    ProcessingError,
    SendOutcomeUnknown,
    TransientFailure,
)
from lambda_src.core.models import RESPONSE_PREFIX
from ops.credential_checks import NamedSecrets, OpenAILookup
from ops.errors import OperatorError, VendorUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ops.deployment import Deployment

RECORD_ATTRIBUTES = (
    "thread_id",
    "message_sid",
    "messages",
    "ai_answer",
    "draft",
    "discarded_threads",
    "channel_method",
    "ai_config",
    "channel_config",
)
"""Record attributes with the ids at the vendors, and with the names of the secrets in use."""

FOUND, DELETED, MISSING = "would be deleted", "deleted", "not found: deleted before"


class Kind(StrEnum):
    """What a vendor stores."""

    CONVERSATION = "conversation"
    RESPONSE = "response"
    THREAD = "thread"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class VendorCopy:
    """One object that a vendor stores.

    Attributes:
        kind: OpenAI's conversation, response or thread, or the channel vendor's message.
        id: The vendor's id.
        outcome: What was done, or why nothing was.
        is_deleted: Whether the vendor has it no longer.
        is_temporary: Whether it can be deleted later, so that its record must stay until then.
    """

    kind: Kind
    id: str
    outcome: str = FOUND
    is_deleted: bool = False
    is_temporary: bool = False


class VendorCopies:
    """Deletes what vendors store of conversations, with the tenant's and the channel's secrets.

    Args:
        deployments: Every channel of the environment.
    """

    def __init__(self, *deployments: Deployment) -> None:
        self._deployments = {each.channel: each for each in deployments}
        self._secrets = {each.channel: NamedSecrets.of(each) for each in deployments}

    def find(self, record: Mapping[str, Any]) -> list[VendorCopy]:
        """Return what the ids of a record refer to, without asking the vendors."""
        answers = [record.get(name) for name in ("ai_answer", "draft")]
        history, discarded = record.get("messages"), record.get("discarded_threads")
        texts = [*(history if isinstance(history, list) else ()), *answers]
        entries = [each for each in texts if isinstance(each, dict)]
        is_thread = _nested(record, "ai_config", "openai_config").get("engine") == Engine.ASSISTANTS
        unused = discarded if isinstance(discarded, list) else ()
        used = (each.get("thread_id") for each in entries)
        known = _ids(record.get("thread_id"), *used, *unused)
        threads = [id_ for id_ in known if not id_.startswith(RESPONSE_PREFIX)]
        answered = (each.get(name) for each in entries for name in ("response_id", "message_id"))
        written = _ids(*answered, *unused)
        return [
            *(VendorCopy(Kind.THREAD if is_thread else Kind.CONVERSATION, id_) for id_ in threads),
            # The answer in a thread is one of its messages, and is deleted with it.
            *(VendorCopy(Kind.RESPONSE, id_) for id_ in written if id_.startswith(RESPONSE_PREFIX)),
            *(VendorCopy(Kind.MESSAGE, id_) for id_ in _ids(record.get("message_sid"))),
        ]

    def delete(self, record: Mapping[str, Any]) -> list[VendorCopy]:
        """Delete what the ids of a record refer to, and return each outcome; may be repeated."""
        return [self._delete(record, copy) for copy in self.find(record)]

    def _delete(self, record: Mapping[str, Any], copy: VendorCopy) -> VendorCopy:
        try:
            found = self._request(record, copy)
        except (ProcessingError, OperatorError) as error:
            text = f"not deleted: {error}"
            return replace(copy, outcome=text, is_temporary=_is_temporary(error))
        return replace(copy, outcome=DELETED if found else MISSING, is_deleted=True)

    def _request(self, record: Mapping[str, Any], copy: VendorCopy) -> bool:
        channel = str(record.get("channel_method"))
        deployment = self._deployments.get(channel)
        if deployment is None:
            raise OperatorError("the record's channel is not deployed")
        settings, secrets = deployment.settings, self._secrets[channel]
        if copy.kind is Kind.MESSAGE:
            operator, has_credentials = deployment.parts.operator, deployment.parts.has_credentials
            if operator.delete_message is None:
                raise OperatorError(f"{operator.vendor} offers no deletion of messages")
            config, name = _nested(record, "channel_config"), f"{channel}_credentials_id"
            credentials = secrets.credentials(_reference(config, name) if has_credentials else "")
            return operator.delete_message(settings, credentials, copy.id)
        config = _nested(record, "ai_config", "openai_config")
        key = secrets.openai_key(_reference(config, "api_key_reference"))
        if copy.kind is Kind.THREAD:
            return OpenAILookup(key, settings.assistants_base_url).delete_thread(copy.id)
        openai = OpenAILookup(key, settings.openai_base_url)
        if copy.kind is Kind.RESPONSE:
            return openai.delete_response(copy.id)
        return openai.delete_conversation(copy.id)


def _nested(record: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Return the record's configuration of its own channel; empty if there is none."""
    part: Any = record
    for name in (*names, str(record.get("channel_method"))):
        part = part.get(name) if isinstance(part, dict) else None
    return part if isinstance(part, dict) else {}


def _reference(config: Mapping[str, Any], name: str) -> str:
    reference = config.get(name)
    if not isinstance(reference, str):
        raise OperatorError(f"the record lacks {name}")
    return reference


def _ids(*values: object) -> list[str]:
    """Return the values that are texts, without repetitions."""
    return list(dict.fromkeys(value for value in values if isinstance(value, str) and value))


def _is_temporary(error: ProcessingError | OperatorError) -> bool:
    if isinstance(error, OperatorError):
        return isinstance(error, VendorUnreachable)
    is_refused = isinstance(error, AccountRefused)  # the credentials, the key's rights, the account
    return isinstance(error, TransientFailure | SendOutcomeUnknown) and not is_refused
