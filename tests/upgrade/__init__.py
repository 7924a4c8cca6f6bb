"""The upgrade of a deployed version 1.0, and its rollback."""
