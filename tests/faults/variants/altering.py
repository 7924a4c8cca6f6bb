"""Putting a broken part into a handler, wherever the handler uses that part."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from lambda_src.core.batch import BatchHandler
from lambda_src.core.claims import Claims
from lambda_src.core.drafting import Drafting
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.flow import MessageFlow
from lambda_src.core.ports import Conversations, Sender
from lambda_src.core.sending import Sending
from lambda_src.core.settlement import Settlement

P = TypeVar("P")


def recast(part: Any, kind: type[P]) -> P:
    """The same part as another kind of it: a subclass that breaks one of its methods."""
    return kind(**{field.name: getattr(part, field.name) for field in fields(part)})


def with_flow(handler: BatchHandler, change: Callable[[MessageFlow], MessageFlow]) -> BatchHandler:
    """The handler with another flow."""
    return replace(handler, flow=change(handler.flow))


def with_drafting(handler: BatchHandler, change: Callable[[Drafting], Drafting]) -> BatchHandler:
    """The handler with another way to its answers."""
    return with_flow(handler, lambda flow: replace(flow, drafting=change(flow.drafting)))


def with_sending(handler: BatchHandler, change: Callable[[Sending], Sending]) -> BatchHandler:
    """The handler with another way to send."""
    return with_flow(handler, lambda flow: replace(flow, sending=change(flow.sending)))


def with_settlement(
    handler: BatchHandler, change: Callable[[Settlement], Settlement]
) -> BatchHandler:
    """The handler with another way to settle."""
    return with_flow(handler, lambda flow: replace(flow, settlement=change(flow.settlement)))


def with_sender(handler: BatchHandler, around: Callable[[Sender], Sender]) -> BatchHandler:
    """The handler with something put around the vendor when it sends; settling sees it as it is."""
    return with_sending(handler, lambda sending: replace(sending, sender=around(sending.sender)))


def with_claims(handler: BatchHandler, change: Callable[[Claims], Claims]) -> BatchHandler:
    """The handler with other claims, which the flow and the sending share."""
    claims = change(handler.flow.claims)
    changed = with_flow(handler, lambda flow: replace(flow, claims=claims))
    return with_sending(changed, lambda sending: replace(sending, claims=claims))


def with_final_record(
    handler: BatchHandler, change: Callable[[FinalRecord], FinalRecord]
) -> BatchHandler:
    """The handler with another final write, which the flow and the settling share."""
    final_record = change(handler.flow.final_record)
    changed = with_flow(handler, lambda flow: replace(flow, final_record=final_record))
    return with_settlement(changed, lambda part: replace(part, final_record=final_record))


def with_conversations(
    handler: BatchHandler, around: Callable[[Conversations], Conversations]
) -> BatchHandler:
    """The handler with something put around the table that all of its parts share."""
    table = around(handler.flow.claims.conversations)
    changed = with_claims(handler, lambda part: replace(part, conversations=table))
    changed = with_final_record(changed, lambda part: replace(part, conversations=table))
    changed = with_settlement(changed, lambda part: replace(part, conversations=table))
    return with_flow(
        changed,
        lambda flow: replace(flow, putting_down=replace(flow.putting_down, conversations=table)),
    )
