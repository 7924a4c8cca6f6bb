"""Made-up credentials, numbers and names."""

KEY = "made-up-openai-key"
MODEL = "model-one"
ACCOUNT = f"AC{'0' * 32}"
TOKEN = "made-up-twilio-token"
TEMPLATE = f"HX{'1' * 32}"
SENDER = "whatsapp:+15550100001"
RECIPIENT = "whatsapp:+15550100002"
