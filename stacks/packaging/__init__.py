"""Builds the package of the Lambda function: its contents, its target and its bytecode."""
