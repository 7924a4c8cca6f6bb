"""Who can use the web console."""

from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPConnection

import pytest

from local.cloud import LocalCloud
from local.console import ConsoleServer


@pytest.fixture(scope="module")
def console(cloud: LocalCloud) -> Iterator[ConsoleServer]:
    with ConsoleServer(cloud) as console:
        yield console


def _status(console: ConsoleServer, method: str = "GET", path: str = "/", **headers: str) -> int:
    connection = HTTPConnection("127.0.0.1", console.port, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def _cookie(console: ConsoleServer) -> str:
    return f"console-{console.port}={console.token}"


def test_a_request_needs_the_token_once(console: ConsoleServer) -> None:
    """The address with the token sets a cookie for this site only, which suffices afterwards."""
    connection = HTTPConnection("127.0.0.1", console.port, timeout=10)
    connection.request("GET", console.url.removeprefix(console.origin))
    response = connection.getresponse()
    assert response.status == HTTPStatus.FOUND
    cookie = str(response.getheader("Set-Cookie"))
    assert cookie.startswith(_cookie(console))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    connection.close()
    assert _status(console, Cookie=_cookie(console)) == HTTPStatus.OK


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cookie": "console-{port}=guessed"},
        {"Cookie": "{cookie}", "Host": "attacker.example:{port}"},
        {"Cookie": "{cookie}", "Origin": "http://attacker.example"},
    ],
    ids=["no token", "wrong token", "another host", "another origin"],
)
def test_other_requests_are_refused(console: ConsoleServer, headers: dict[str, str]) -> None:
    """A page of another site cannot act, nor read under another name of this machine."""
    known = {"port": console.port, "cookie": _cookie(console)}
    sent = {name: value.format(**known) for name, value in headers.items()}
    assert _status(console, "POST", "/faults/heal", **sent) == HTTPStatus.FORBIDDEN
