"""Whoever opted out is left alone, whoever is erased is gone, and nobody is named in passing."""
