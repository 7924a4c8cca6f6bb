"""A web page that shows the local cloud at work, and acts on it; on this machine only."""

from local.console.server import ConsoleServer, console_server

__all__ = ["ConsoleServer", "console_server"]
