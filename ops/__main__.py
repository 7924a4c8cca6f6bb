"""`python -m ops`."""

from ops import main

main()
