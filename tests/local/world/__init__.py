"""Tests of the deployed whole: all of them share one local cloud."""
