"""The deployed dashboard as a picture: its definition, and the numbers of a run on this machine."""
