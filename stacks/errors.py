"""Errors that stop synth with one message for the person who asked for it."""


class SynthesisError(Exception):
    """Synth cannot go on; the message says what is wrong, where, and what to do."""


class ConfigurationError(SynthesisError):
    """What `cdk.json` or the command line asks for is not possible."""


class PackageError(SynthesisError):
    """The Lambda package cannot be built."""
