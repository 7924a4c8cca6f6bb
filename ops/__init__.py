"""The operator's command line for a deployed channel, on AWS and on the local cloud."""
