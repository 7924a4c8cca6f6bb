"""Amazon SES's errors and events."""
