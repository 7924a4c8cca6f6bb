"""What is published: what the distribution holds, promises, and does where it is installed."""
