"""Random schedules of the real core over fakes, judged after every piece of work."""
