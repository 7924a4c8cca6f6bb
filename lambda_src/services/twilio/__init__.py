"""Twilio's errors, HTTP client and message lookup."""
