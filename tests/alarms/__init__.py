"""The alarm chain of the synthesized templates, executed: log line or AWS's metric to mail."""
