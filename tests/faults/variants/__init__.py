"""Deliberately broken variants of the runtime, each our own flow but for one mistake."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from tests.faults.rules import Rule
from tests.faults.variants import claiming, sending
from tests.faults.variants.altering import recast, with_claims, with_conversations, with_flow
from tests.faults.variants.unfenced import Unfenced
from tests.faults.variants.variant import Variant

__all__ = ["VARIANTS", "Variant"]

_ALL = (
    Variant(
        "no_intent",
        "Nothing is written before the send.",
        frozenset({Rule.AT_MOST_ONCE, Rule.RECORD_IS_TRUE}),
        lambda handler: with_conversations(handler, sending.Unannounced),
    ),
    Variant(
        "resend_on_unknown",
        "A record found `sending` is claimed and its message sent again.",
        frozenset({Rule.AT_MOST_ONCE, Rule.RECORD_IS_TRUE}),
        lambda handler: with_claims(
            handler, lambda claims: recast(claims, claiming.SendingTakenOver)
        ),
    ),
    Variant(
        "no_fence",
        "A worker's writes do not ask for owner, attempt and lease.",
        frozenset({Rule.AT_MOST_ONCE, Rule.RECORD_IS_TRUE, Rule.SILENT_WITHOUT_LEASE}),
        lambda handler: with_conversations(handler, Unfenced),
    ),
    Variant(
        "busy_acknowledged",
        "A duplicate is acknowledged while another worker is busy.",
        frozenset({Rule.DELETED_ONLY_IF_SENT, Rule.SENT_IN_THE_END}),
        lambda handler: with_flow(handler, lambda flow: recast(flow, claiming.BusyAcknowledged)),
    ),
    Variant(
        "lease_not_renewed",
        "A lease is not renewed while the AI writes for longer than it lasts.",
        frozenset({Rule.SENT_IN_THE_END}),
        lambda handler: with_conversations(handler, claiming.NeverRenewed),
    ),
    Variant(
        "exists_is_done",
        "A record that exists is taken for a message that was sent, and acknowledged.",
        frozenset({Rule.DELETED_ONLY_IF_SENT, Rule.SENT_IN_THE_END}),
        lambda handler: with_conversations(
            handler, partial(claiming.Misread, misreading=claiming.as_sent)
        ),
    ),
)

VARIANTS: Mapping[str, Variant] = MappingProxyType({variant.name: variant for variant in _ALL})
"""Every variant by its name."""
