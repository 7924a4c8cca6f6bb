"""The local cloud: the app deployed to an embedded AWS, with stand-ins for OpenAI and Twilio."""
