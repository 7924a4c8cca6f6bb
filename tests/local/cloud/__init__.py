"""Tests on the whole local cloud, deployed once for all of them."""
