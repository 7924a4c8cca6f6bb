"""Tests of the fakes, with the vendors' real SDKs as clients."""
