"""Errors that stop synth with one message."""


class SynthesisError(Exception):
    """Synth cannot continue; the message says what is wrong, where, and what to do."""


class ConfigurationError(SynthesisError):
    """`cdk.json` or the command line asks for something impossible."""


class PackageError(SynthesisError):
    """The Lambda package cannot be built."""
