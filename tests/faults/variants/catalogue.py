"""Every variant: its name, its mistake, and the rules that the mistake can break."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from tests.faults.rules import Rule
from tests.faults.variants import claiming, ending, outcomes, sending, settling
from tests.faults.variants.altering import (
    recast,
    with_claims,
    with_conversations,
    with_drafting,
    with_final_record,
    with_flow,
    with_sender,
    with_sending,
    with_settlement,
)
from tests.faults.variants.unfenced import Unfenced
from tests.faults.variants.variant import Variant

GONE = frozenset({Rule.DELETED_ONLY_IF_SENT, Rule.RECORD_IS_TRUE, Rule.SENT_IN_THE_END})
"""Deleted before its end: unsent, or sent and never recorded."""
DOUBLED = frozenset({Rule.AT_MOST_ONCE, Rule.RECORD_IS_TRUE})
"""Sent again, after a record that spoke of no message."""
OVERTAKEN = DOUBLED | {Rule.SILENT_WITHOUT_LEASE}
"""Sent by two workers, the first of whom does not hear of the second."""

CLAIMING = (
    Variant(
        "no_fence",
        "A worker's writes do not ask for owner, attempt and lease.",
        OVERTAKEN,
        lambda handler: with_conversations(handler, Unfenced),
    ),
    Variant(
        "unclaimed",
        "Nothing is written before the AI is asked.",
        frozenset({Rule.AI_NOT_ASKED_AGAIN, Rule.RECORD_IS_TRUE, Rule.SENT_IN_THE_END}),
        lambda handler: with_conversations(handler, claiming.Unclaimed),
    ),
    Variant(
        "busy_acknowledged",
        "A duplicate is acknowledged while another worker is busy.",
        GONE,
        lambda handler: with_flow(handler, partial(recast, kind=claiming.BusyAcknowledged)),
    ),
    Variant(
        "lease_not_renewed",
        "A lease is not renewed while the AI writes for longer than it lasts.",
        frozenset({Rule.SENT_IN_THE_END}),
        lambda handler: with_conversations(handler, claiming.NeverRenewed),
    ),
    Variant(
        "lapsed_lease_kept",
        "A conversation whose worker died is nobody else's for good.",
        frozenset({Rule.SENT_IN_THE_END}),
        lambda handler: with_conversations(
            handler, partial(claiming.Misread, misreading=claiming.as_held)
        ),
    ),
    Variant(
        "exists_is_done",
        "A record that exists is taken for a message that was sent, and acknowledged.",
        GONE,
        lambda handler: with_conversations(
            handler, partial(claiming.Misread, misreading=claiming.as_sent)
        ),
    ),
    Variant(
        "resend_on_unknown",
        "A record found `sending` is claimed and its message sent again.",
        OVERTAKEN,
        lambda handler: with_claims(handler, partial(recast, kind=claiming.SendingTakenOver)),
    ),
    Variant(
        "unknown_taken_over",
        "A record found `send_unknown` is claimed and its message sent, though nobody released it.",
        OVERTAKEN,
        lambda handler: with_claims(handler, partial(recast, kind=claiming.UnknownTakenOver)),
    ),
)

SENDING = (
    Variant(
        "no_intent",
        "Nothing is written before the send.",
        OVERTAKEN,
        lambda handler: with_conversations(handler, sending.Unannounced),
    ),
    Variant(
        "answer_not_used",
        "The AI is asked again although the record holds its answer.",
        frozenset({Rule.AI_NOT_ASKED_AGAIN}),
        lambda handler: with_drafting(handler, partial(recast, kind=sending.AnswerNotUsed)),
    ),
    Variant(
        "stall_ignored",
        "A worker that was held up after its announcement sends, whatever was decided meanwhile.",
        frozenset({Rule.RECORD_IS_TRUE, Rule.SILENT_WITHOUT_LEASE}),
        lambda handler: with_sending(handler, partial(recast, kind=sending.Unhurried)),
    ),
    Variant(
        "send_repeated",
        "A send whose answer was lost is made again at once, as SDKs do.",
        DOUBLED,
        lambda handler: with_sender(handler, outcomes.SentAgain),
    ),
    Variant(
        "unknown_is_unsent",
        "A send with an unknown outcome is recorded as `retry`.",
        DOUBLED,
        lambda handler: with_sender(
            handler, partial(outcomes.Mistaken, mistake=outcomes.unknown_as_unsent)
        ),
    ),
    Variant(
        "unknown_is_failed",
        "A send with an unknown outcome is recorded as `failed`.",
        frozenset({Rule.RECORD_IS_TRUE, Rule.SENT_IN_THE_END}),
        lambda handler: with_sender(
            handler, partial(outcomes.Mistaken, mistake=outcomes.unknown_as_failed)
        ),
    ),
    Variant(
        "unknown_is_sent",
        "A send with an unknown outcome is recorded as sent, and acknowledged.",
        GONE,
        lambda handler: with_sender(handler, outcomes.UnknownIsSent),
    ),
    Variant(
        "passing_is_failed",
        "A vendor's passing trouble is recorded as `failed`.",
        frozenset({Rule.SENT_IN_THE_END}),
        lambda handler: with_sender(
            handler, partial(outcomes.Mistaken, mistake=outcomes.passing_as_permanent)
        ),
    ),
)

ENDING = (
    Variant(
        "failed_write_ignored",
        "A final write that failed is passed over, and the message acknowledged.",
        frozenset({Rule.RECORD_IS_TRUE}),
        lambda handler: with_final_record(handler, partial(recast, kind=ending.FailedWriteIgnored)),
    ),
    Variant(
        "opt_out_forgotten",
        "A recipient who opted out is not suppressed: the next conversation is begun.",
        frozenset({Rule.OPT_OUT_IS_HEEDED}),
        lambda handler: with_conversations(handler, ending.OptOutForgotten),
    ),
    Variant(
        "failures_not_reported",
        "No failure is reported, so that the queue deletes every message.",
        GONE,
        partial(recast, kind=ending.FailuresNotReported),
    ),
)

SETTLING = (
    Variant(
        "absent_is_unsent",
        "A send that the vendor does not list is released by itself.",
        DOUBLED,
        lambda handler: with_settlement(handler, partial(recast, kind=settling.AbsentIsUnsent)),
    ),
    Variant(
        "alarm_after_write",
        "An unknown send is recorded first, and a person called after.",
        frozenset({Rule.RECORD_IS_TRUE}),
        lambda handler: with_settlement(handler, partial(recast, kind=settling.AlarmedLate)),
    ),
    Variant(
        "others_ignored",
        "The sid of another conversation's message of the same text is taken for one's own.",
        GONE,
        lambda handler: with_conversations(handler, settling.OthersIgnored),
    ),
)

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {variant.name: variant for variant in (*CLAIMING, *SENDING, *ENDING, *SETTLING)}
)
"""Every variant by its name."""
