"""Which dead letters a command is about."""

from collections.abc import Collection
from dataclasses import dataclass

from ops.letter_case import Case


@dataclass(frozen=True)
class Choice:
    """Letters chosen by what they have in common; what is empty chooses nothing away."""

    causes: Collection[str] = ()
    companies: Collection[str] = ()
    conversations: Collection[str] = ()
    letters: Collection[str] = ()

    def __contains__(self, case: Case) -> bool:
        pairs = (
            (case.cause, self.causes),
            (case.company_id, self.companies),
            (case.conversation_id, self.conversations),
            (case.letter.message_id, self.letters),
        )
        return all(value in chosen for value, chosen in pairs if chosen)

    def __bool__(self) -> bool:
        return bool(self.causes or self.companies or self.conversations or self.letters)
