"""The rows of the contract from the intent on: sid, failure, looks, unknown sends, rivals."""

from dataclasses import replace

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.ports import Conversations
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.ledger_contract.probe import FAILED, RETRY, UNKNOWN, Tables, found, refuses
from tests.unit.samples import CLAIM, ENTRY, INTENT, SENT, entry


class Ending(Tables):
    """How a conversation's first contact ends, and who is told."""

    def test_a_sid_is_recorded_whoever_holds_the_lease(self, sending: Conversations) -> None:
        """The final write ends the conversation: sid in, answer and lease gone."""
        sending.record_sent(KEY, SENT)
        record = found(sending)
        assert record
        assert (Status.SENT, "SM1", None) == (record.status, record.sid, record.answer)

    def test_a_sid_is_recorded_over_an_unknown_send(self, sending: Conversations) -> None:
        """A late sid repairs a record that was given up as `send_unknown`."""
        sending.declare_unknown(KEY, UNKNOWN, ENTRY)
        sending.record_sent(KEY, SENT)
        record = found(sending)
        assert record
        assert Status.SENT is record.status

    def test_a_sid_needs_an_announced_send(self, processing: Conversations) -> None:
        """A record that is `processing`, or sent already, takes no sid."""
        assert refuses(processing, lambda table: table.record_sent(KEY, SENT))
        processing.begin_send(CLAIM, INTENT, ANSWER)
        processing.record_sent(KEY, SENT)
        again = replace(SENT, sid="SM2")
        assert refuses(processing, lambda table: table.record_sent(KEY, again))

    def test_failures_are_recorded_before_and_after_the_intent(
        self, sending: Conversations
    ) -> None:
        """A send that was refused for certain leaves `sending`; repeating the write is harmless."""
        sending.record_failure(CLAIM, RETRY)
        sending.record_failure(CLAIM, RETRY)
        record = found(sending)
        assert record
        assert Status.RETRY is record.status
        assert refuses(sending, lambda table: table.record_failure(CLAIM, FAILED))

    def test_looks_are_counted(self, sending: Conversations) -> None:
        """A look counts one up from what was seen, while the send is still the same."""
        sending.count_look(KEY, ENTRY)
        record = found(sending)
        assert record
        assert record.looks == 1
        other = entry(owner="owner-2")
        assert refuses(sending, lambda table: table.count_look(KEY, other))

    def test_an_unknown_send_is_declared_by_who_saw_it(self, sending: Conversations) -> None:
        """`send_unknown` needs the send that was seen; declaring it twice is harmless."""
        other = entry(owner="owner-2")
        assert refuses(sending, lambda table: table.declare_unknown(KEY, UNKNOWN, other))
        sending.declare_unknown(KEY, UNKNOWN, ENTRY)
        sending.declare_unknown(KEY, UNKNOWN, ENTRY)
        record = found(sending)
        assert record
        assert Status.SEND_UNKNOWN is record.status

    @pytest.mark.parametrize("end", ["sending", "send_unknown", "sent"])
    def test_others_are_told_of_a_send(self, sending: Conversations, end: str) -> None:
        """A conversation that has a sid, or may yet get one, is told to the recipient's others."""
        if end == "send_unknown":
            sending.declare_unknown(KEY, UNKNOWN, ENTRY)
        if end == "sent":
            sending.record_sent(KEY, SENT)
        expected = found(sending)
        assert expected
        another = replace(KEY, conversation_id="another")
        assert (replace(expected, failure_code=""),) == sending.others(another)

    def test_others_are_not_told_of_what_was_not_sent(self, processing: Conversations) -> None:
        """A conversation that has announced no send is no concern of the others."""
        another = replace(KEY, conversation_id="another")
        assert () == processing.others(another)
        processing.record_failure(CLAIM, FAILED)
        assert () == processing.others(another)

    def test_others_are_the_recipients_and_not_oneself(self, sending: Conversations) -> None:
        """Neither the conversation itself nor anybody else's is among its others."""
        assert () == sending.others(KEY)
        assert () == sending.others(replace(KEY, primary_channel="+15550100999"))
