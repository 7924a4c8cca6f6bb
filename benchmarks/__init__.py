"""What the claims about speed, weight and cost rest on: measured beside others, in one run."""
