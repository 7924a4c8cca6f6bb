"""For every test: the AWS setup of whoever runs it does not exist."""

import os


def pytest_configure() -> None:
    """Forget the user's AWS variables, and lead AWS's SDKs past the user's files."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
