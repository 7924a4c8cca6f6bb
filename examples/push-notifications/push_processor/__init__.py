"""The push channel's own part of the function; the flow and the ledger are in `lambda_src`."""
