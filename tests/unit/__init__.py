"""Unit tests: the runtime on in-memory fakes, without sockets."""
