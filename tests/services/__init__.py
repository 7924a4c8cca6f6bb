"""Tests of the adapters and the handler with real SDKs, on moto and fake vendors."""
