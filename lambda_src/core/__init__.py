"""The flow, the ledger's rules, errors and ports: no AWS or Twilio SDK below this package."""
