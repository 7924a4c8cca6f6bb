"""Tests that the synthesized template and the runtime agree with each other."""
