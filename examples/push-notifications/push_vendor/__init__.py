"""The push vendor on loopback, and a local cloud with it; never deployed."""
