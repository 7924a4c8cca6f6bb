"""What the proof found, for the terminal and for the documentation."""
