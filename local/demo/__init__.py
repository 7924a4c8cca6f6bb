"""The demonstration: messages travel, fail and recover, and each claim about it is checked."""
