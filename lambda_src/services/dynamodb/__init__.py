"""The ledger's DynamoDB expressions, items, values and errors."""
