"""Ctrl-C in the middle of a command's work, as a signal that really arrives."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import boto3


@contextmanager
def ctrl_c(session: boto3.Session, call: str, *, after: int = 0) -> Iterator[None]:
    """Press Ctrl-C when AWS is about to be asked for something; the call itself goes through.

    Args:
        session: Whose clients, made within the `with` block, are meant.
        call: Service and operation, as botocore's events name them, such as `sqs.SendMessage`.
        after: How many such calls are left alone.
    """
    number = count()

    def press(**_: object) -> None:
        if next(number) == after:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    event = f"before-send.{call}"
    session.events.register(event, press)
    # Whoever started the tests in the background has them ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        session.events.unregister(event, press)
    assert next(number) > after, f"{call} was not reached"
