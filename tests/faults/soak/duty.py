"""The person on duty, when the faults have passed: decides on open sends, redrives dead letters."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from tests.faults.person import Decision, TableRegister, decide
from tests.faults.rules import Place
from tests.faults.soak.pace import mapping_paused

if TYPE_CHECKING:
    from local.world import World
    from tests.faults.soak.facts import Facts
    from tests.faults.soak.mail import Mail
    from tests.faults.soak.plan import Conversation


class Duty:
    """Does what the alarms and the dead-letter queue ask a person for.

    Attributes:
        decisions: how often each was made.
        releases: how often each conversation was released, by its id.
        redriven: how many dead letters were put on the queue again.
    """

    def __init__(self, world: "World", mail: "Mail") -> None:
        self._world = world
        self._mail = mail
        self._register = TableRegister(world.aws.dynamodb, world.resources.table)
        self.decisions: Counter[Decision] = Counter()
        self.releases: Counter[str] = Counter()
        self.redriven = 0

    def attend(self, conversations: Iterable["Conversation"], facts: Iterable["Facts"]) -> int:
        """Decide on every open send, then redrive whatever may yet be sent.

        Args:
            conversations: all of them.
            facts: what there is of each.

        Returns:
            How many dead letters were redriven.
        """
        by_id = {conversation.conversation_id: conversation for conversation in conversations}
        seen = list(facts)
        for one in seen:
            if one.status == Status.SEND_UNKNOWN:
                self._decide(one, by_id[one.conversation_id])
        again = [by_id[one.conversation_id] for one in seen if _is_to_be_redriven(one)]
        with mapping_paused(self._world):
            redriven = self._mail.redrive(again)
        self.redriven += redriven
        return redriven

    def _decide(self, facts: "Facts", conversation: "Conversation") -> None:
        sid = facts.sids[-1] if facts.sids else ""
        key = RecordKey(conversation.recipient, conversation.conversation_id)
        decision = decide(self._register, key, sid, time.time())
        self.decisions[decision] += 1
        if decision is Decision.RELEASED:
            self.releases[facts.conversation_id] += 1


def _is_to_be_redriven(facts: "Facts") -> bool:
    # What is `failed` would fail again: it stays there, with its reason in the record.
    return Place.DEAD in facts.places and facts.status != Status.FAILED
