"""Adapters: the core's ports on AWS services and Twilio."""
