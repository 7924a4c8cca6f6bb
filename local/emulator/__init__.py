"""The embedded AWS: MiniStack, and the parts of AWS that it lacks."""
