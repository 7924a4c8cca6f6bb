"""Unknown sends settled in virtual time: when they are looked for, and which message is taken."""
