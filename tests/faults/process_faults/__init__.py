"""Process faults: every fault at every outside call, with real worker processes.

Nothing is imported here: the fork server must replace `time` before it imports anything else.
"""
