"""Mutants: copies of the runtime with one deliberate mistake each, which the proof must catch."""
