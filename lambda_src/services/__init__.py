"""Adapters: the ports of the core on DynamoDB, Secrets Manager and Twilio."""
