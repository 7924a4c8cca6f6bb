"""Gathers what a soak leaves behind on phones, in the table and on the queues."""

from collections import Counter
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.faults.soak.facts import Facts
from tests.faults.soak.ledger_writes import applied_writes
from tests.faults.soak.traces import (
    conversation_asked_about,
    conversation_of_text,
    conversation_sent,
)

if TYPE_CHECKING:
    from local.vendors import StandIns
    from local.world import World
    from tests.faults.soak.mail import Letter, Mail
    from tests.faults.soak.plan import Conversation


class Gathering:
    """Looks at everything but the log.

    Args:
        world: the local cloud.
        vendors: its stand-ins.
        mail: what was put on the queue.
    """

    def __init__(self, world: "World", vendors: "StandIns", mail: "Mail") -> None:
        self._world = world
        self._vendors = vendors
        self._mail = mail

    def facts(
        self, conversations: Iterable["Conversation"], releases: Mapping[str, int]
    ) -> list[Facts]:
        """What there is of each conversation.

        Args:
            conversations: all of them.
            releases: how often the person on duty released each, by its id.
        """
        writes = applied_writes(self._world.gateway.forwarded)
        sids, letters, sends, asks = self._sids(), self._letters(), self._sends(), self._asks()
        return [
            Facts(
                conversation_id=(name := conversation.conversation_id),
                fate=conversation.fate,
                sids=tuple(sids.get(name, ())),
                letters=tuple(letters.get(name, ())),
                record=self._world.channel.record(conversation.key),
                releases=releases.get(name, 0),
                writes=tuple(writes.get(conversation.key, ())),
                asks=asks[name],
                sends=tuple(sends.get(name, ())),
            )
            for conversation in conversations
        ]

    def _sids(self) -> dict[str, list[str]]:
        sids: dict[str, list[str]] = {}
        for message in self._vendors.twilio.messages():
            sids.setdefault(conversation_of_text(message["body"]), []).append(message["sid"])
        return sids

    def _letters(self) -> "dict[str, list[Letter]]":
        letters: dict[str, list[Letter]] = {}
        for letter in self._mail.letters():
            letters.setdefault(letter.conversation_id, []).append(letter)
        return letters

    def _sends(self) -> dict[str, list[float]]:
        sends: dict[str, list[float]] = {}
        for call in self._vendors.twilio.requests:
            sends.setdefault(conversation_sent(call), []).append(call.at)
        return sends

    def _asks(self) -> Counter[str]:
        return Counter(
            conversation_asked_about(call)
            for call in self._vendors.openai.requests
            if call.status != HTTPStatus.UNAUTHORIZED
        )
