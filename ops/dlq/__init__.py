"""Dead-letter messages: inspect them, decide by policy, redrive or discard them."""
