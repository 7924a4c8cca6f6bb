"""What keeps a command from being done, in words for the person on duty."""


class OperatorError(Exception):
    """A command that cannot be done, or must not be; the text says why and what to do instead."""


class Declined(OperatorError):
    """The person was asked and said no: nothing was changed."""
