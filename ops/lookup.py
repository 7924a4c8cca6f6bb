"""Finding one conversation's record."""

from lambda_src.core.context import RecordKey
from ops.errors import OperatorError
from ops.register import Record, Register


def find(register: Register, conversation_id: str, recipient: str = "") -> list[Record]:
    """The records of a conversation: one for each recipient that it was held with.

    Args:
        register: The table.
        conversation_id: The conversation's id.
        recipient: Whom it is with; without it the whole table is read.

    Raises:
        OperatorError: There is none.
    """
    if recipient:
        record = register.read(RecordKey(recipient, conversation_id))
        found = [record] if record else []
    else:
        found = list(register.all(conversation_id=conversation_id))
    if not found:
        raise OperatorError(f"no record of the conversation {conversation_id}")
    return found


def find_one(register: Register, conversation_id: str, recipient: str = "") -> Record:
    """The one record of a conversation.

    Raises:
        OperatorError: There is none, or there are several.
    """
    found = find(register, conversation_id, recipient)
    if len(found) > 1:
        raise OperatorError(f"{len(found)} records of that id: say which with --recipient")
    return found[0]
