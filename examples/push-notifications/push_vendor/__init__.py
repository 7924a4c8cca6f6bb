"""A fake of the push vendor, and a local cloud with it; never deployed."""
