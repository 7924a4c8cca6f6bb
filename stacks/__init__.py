"""Infrastructure: stacks and their constructs, run at synth only."""
