"""The planner and the arithmetic behind it: no AWS, no sockets."""
