"""Errors that a command reports in one message, without a traceback."""


class OperatorError(Exception):
    """A command that cannot or must not be executed; the text gives the reason and the remedy."""


class Declined(OperatorError):
    """The operator answered the confirmation with no: nothing was changed."""


class VendorUnreachable(OperatorError):
    """OpenAI did not answer."""
