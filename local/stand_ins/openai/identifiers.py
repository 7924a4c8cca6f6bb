"""Identifiers of the form that OpenAI gives."""

import uuid

_LENGTH = 48


def new_id(kind: str) -> str:
    """A new identifier, such as `conv_` and 48 hexadecimal digits for the kind `conv`."""
    return f"{kind}_{(uuid.uuid4().hex + uuid.uuid4().hex)[:_LENGTH]}"
