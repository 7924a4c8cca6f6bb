"""The operator's commands on the running local cloud: done, refused, and called off amid it."""
