"""The demonstration: messages are sent, fail and recover, and each claim about it is checked."""
