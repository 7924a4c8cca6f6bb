"""Putting a broken part into a handler, wherever the handler uses that part."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from lambda_src.core.batch import BatchHandler
from lambda_src.core.claims import Claims
from lambda_src.core.flow import MessageFlow
from lambda_src.core.ports import Conversations, Sender

P = TypeVar("P")


def recast(part: Any, kind: type[P]) -> P:
    """The same part as another kind of it: a subclass that breaks one of its methods."""
    return kind(**{field.name: getattr(part, field.name) for field in fields(part)})


def with_flow(handler: BatchHandler, change: Callable[[MessageFlow], MessageFlow]) -> BatchHandler:
    """The handler with another flow."""
    return replace(handler, flow=change(handler.flow))


def with_claims(handler: BatchHandler, change: Callable[[Claims], Claims]) -> BatchHandler:
    """The handler with other claims, which the flow and the sending share."""

    def changed(flow: MessageFlow) -> MessageFlow:
        claims = change(flow.claims)
        return replace(flow, claims=claims, sending=replace(flow.sending, claims=claims))

    return with_flow(handler, changed)


def with_conversations(
    handler: BatchHandler, around: Callable[[Conversations], Conversations]
) -> BatchHandler:
    """The handler with something put around the table that all of its parts share."""
    table = around(handler.flow.claims.conversations)

    def changed(flow: MessageFlow) -> MessageFlow:
        final_record = replace(flow.final_record, conversations=table)
        settlement = replace(flow.settlement, conversations=table, final_record=final_record)
        putting_down = replace(flow.putting_down, conversations=table)
        return replace(
            flow, final_record=final_record, settlement=settlement, putting_down=putting_down
        )

    fenced = with_claims(handler, lambda claims: replace(claims, conversations=table))
    return with_flow(fenced, changed)


def with_sender(handler: BatchHandler, around: Callable[[Sender], Sender]) -> BatchHandler:
    """The handler with something put around the vendor it sends through; settling looks past it."""
    return with_flow(
        handler,
        lambda flow: replace(
            flow, sending=replace(flow.sending, sender=around(flow.sending.sender))
        ),
    )
