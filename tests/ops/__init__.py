"""The operator's command line, over the real runtime, AWS in memory and the vendors' stand-ins."""
