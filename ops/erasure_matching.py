"""Which messages of a queue are for a person who is to be erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_src.core.rejection import RejectedContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lambda_src.core.context import ContextObject
    from ops.letters import Letter


def spellings_of(recipient: str) -> tuple[str, ...]:
    """How a recipient may stand in records and messages: a refused one has a number as it came."""
    plain = recipient.strip()
    return (plain, plain[1:]) if plain.startswith("+") else (plain,)


def is_for(letter: Letter, spellings: Sequence[str], parse: Callable[[str], ContextObject]) -> bool:
    """Whether a message is for a recipient.

    One that is for somebody else and names the person is not. One that tells nobody whom it is for
    can never be sent: it goes if the person is in it.
    """
    try:
        key = parse(letter.body).key
    except RejectedContext as rejected:
        if rejected.key is None:
            return any(spelling in letter.body for spelling in spellings)
        key = rejected.key
    return key.primary_channel in spellings
