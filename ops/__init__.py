"""The operator's command line: see, decide, release, redrive, on AWS and on the local cloud."""
