"""The push channel's own part of the function; the flow and the ledger are `lambda_src`'s."""
