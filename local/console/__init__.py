"""A web page that shows the local cloud at work, and acts on it; on this machine only."""

from local.console.server import ConsoleServer, web_console

__all__ = ["ConsoleServer", "web_console"]
