"""Errors of the local cloud that its user can act on."""


class LocalCloudError(Exception):
    """The local cloud cannot do what was asked; the text says why, and what helps."""
