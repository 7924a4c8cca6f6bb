"""The planner and its arithmetic: no AWS, no sockets."""
