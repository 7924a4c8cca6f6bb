"""What can go wrong in the local cloud in a way its user can do something about."""


class LocalCloudError(Exception):
    """The local cloud cannot do what was asked; the text says what, and what helps."""
