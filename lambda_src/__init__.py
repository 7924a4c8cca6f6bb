"""The runtime: what the processor function does with a batch of context objects."""
