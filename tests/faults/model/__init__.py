"""The model: random schedules of the real core over in-memory fakes, checked after every step."""
