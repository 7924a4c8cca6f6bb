"""The receiver: every callback is put on the queue, and nothing else is."""

import ast
import base64
import sys
from pathlib import Path
from typing import Any

import pytest

from lambda_src import receiver
from lambda_src.core import contract
from tests.support.callbacks import BASE_URL, Callbacks, Request

URL = f"{BASE_URL}/callbacks/whatsapp/Y29udmVyc2F0aW9u/intent"


def _request(body: str, *, is_encoded: bool = False, **changes: Any) -> Request:
    return {
        "rawPath": "/stage/callbacks/whatsapp/Y29udmVyc2F0aW9u/intent",
        "rawQueryString": "",
        "headers": {"x-twilio-signature": "signature", "host": "attacker.example"},
        "body": body,
        "isBase64Encoded": is_encoded,
        **changes,
    }


def _encoded(body: bytes) -> Request:
    return _request(base64.b64encode(body).decode(), is_encoded=True)


ACCEPTED: dict[str, tuple[Request, dict[str, str]]] = {
    "a form": (_encoded(b"To=1&Blank="), {"body": "To=1&Blank="}),
    "a form, not encoded": (_request("To=%2B1"), {"body": "To=%2B1"}),
    "another content type": (_request('{"To": "é"}'), {"body": '{"To": "é"}'}),
    "no signature": (_request("To=1", headers={}), {"signature": ""}),
    "no headers": (
        {n: v for n, v in _request("To=1").items() if n != "headers"},
        {"signature": ""},
    ),
    "a query": (_request("To=1", rawQueryString="a=%20b&c"), {"url": f"{URL}?a=%20b&c"}),
    "two paths": (
        _request("x", rawPath="/callbacks/a/callbacks/sms/r/i"),
        {"url": f"{BASE_URL}/callbacks/sms/r/i"},
    ),
    "as large as allowed": (_encoded(b"x" * 65_536), {"body": "x" * 65_536}),
}
REJECTED: dict[str, tuple[Request, str]] = {
    "no body": ({n: v for n, v in _request("").items() if n != "body"}, "empty"),
    "null": (_request("x") | {"body": None}, "empty"),
    "an empty body": (_encoded(b""), "empty"),
    "not base64": (_request("To=1&", is_encoded=True), "undecodable"),
    "not UTF-8": (_encoded(b"To=\xff"), "undecodable"),
    "a lone surrogate": (_request("To=\ud800"), "undecodable"),
    "too large": (_encoded(b"x" * 65_537), "too_large"),
    "too large as UTF-8": (_request("é" * 32_769), "too_large"),
    "too large for the queue": (_encoded(b"\x01" * 65_536), "too_large"),
    "another path": (_request("To=1", rawPath="/stage/other"), "other_path"),
    "no path": ({"body": "To=1"}, "other_path"),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_callback_is_put_on_the_queue(callbacks: Callbacks, case: str) -> None:
    """With its exact public URL, which no header can change, its signature and its body."""
    request, expected = ACCEPTED[case]
    callbacks.post(request)
    (event,) = callbacks.events()
    assert {"url", "signature", "body", "received_at"} == set(event)
    signature = {"url": URL, "signature": "signature"} | expected
    assert signature == {name: event[name] for name in signature}


@pytest.mark.parametrize("case", REJECTED)
def test_anything_else_is_counted(callbacks: Callbacks, case: str) -> None:
    """A 4xx would be repeated; the log has the reason and nothing of the request."""
    request, reason = REJECTED[case]
    callbacks.post(request)
    assert [] == callbacks.events()
    (line,) = callbacks.channel.read_log()
    assert ("WARNING", "callback_rejected", reason) == (
        line["level"],
        line["event"],
        line["reason"],
    )
    assert {
        "level",
        "message",
        "timestamp",
        "service",
        "processor_version",
        "event",
        "reason",
    } == set(line)


def test_only_a_queue_that_fails_is_an_error(callbacks: Callbacks) -> None:
    """API Gateway answers 500, and Twilio repeats the callback; the error has no text of it."""
    callbacks.channel.sqs.delete_queue(QueueUrl=callbacks.queue_url)
    with pytest.raises(receiver.QueueUnavailable) as failed:
        receiver.lambda_handler(_request("To=%2B15550100123"), None)
    assert failed.value.__suppress_context__
    assert "15550100" not in str(failed.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHANNEL", ""), ("EVENTS_QUEUE_URL", " "), ("CALLBACK_BASE_URL", ""),
        ("CALLBACK_BASE_URL", f"{BASE_URL}/"), ("CALLBACK_BASE_URL", f"{BASE_URL}?a"),
        ("CALLBACK_BASE_URL", f"{BASE_URL}#a"), ("CALLBACK_BASE_URL", "ftp://host"),
        ("CALLBACK_BASE_URL", "https://[host"), ("LOG_LEVEL", "LOUD"),
    ],
)  # fmt: skip
def test_a_misconfigured_receiver_does_not_start(
    callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The error names the variable."""
    monkeypatch.setenv(name, value)
    with pytest.raises(receiver.ReceiverConfigurationError, match=name):
        receiver.lambda_handler(_request("To=1"), None)
    assert [] == callbacks.events()


def test_the_receivers_names_are_the_contracts() -> None:
    """It cannot import them, since its package contains nothing else."""
    assert contract.LogEvent.CALLBACK_REJECTED == receiver.CALLBACK_REJECTED
    assert f"{receiver.__name__}.lambda_handler" == contract.RECEIVER_HANDLER
    nodes = list(ast.walk(ast.parse(Path(receiver.__file__).read_text())))
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    imported |= {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    assert {"botocore"} == {name.split(".")[0] for name in imported} - sys.stdlib_module_names
    names = {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert {contract.Variable.CALLBACK_BASE_URL.value, contract.EVENTS_QUEUE_URL} <= names
