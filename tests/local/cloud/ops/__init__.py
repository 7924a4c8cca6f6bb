"""The operator's commands on a running local cloud: done, refused, and interrupted."""
