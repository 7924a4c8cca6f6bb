"""Every registered channel against what every channel must keep to."""
