"""The handle on the embedded AWS keeps the user's AWS out."""

from pathlib import Path

import pytest

from local.aws import Aws

ENDPOINT = "http://127.0.0.1:1"
KEY = "AWS_ACCESS_KEY_ID"


def test_accounts_have_keys_of_their_own() -> None:
    """The CDK's command line, which caches the account of a key, tells two accounts apart."""
    accounts = ("000000000000", "111122223333")
    first, second = (Aws(ENDPOINT, a, "eu-west-1").command_environment() for a in accounts)
    assert first[KEY] != second[KEY]


def test_the_users_profile_is_not_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a profile that does not exist nor a broken file keeps clients from being made."""
    broken = tmp_path / "config"
    broken.write_text("[no end")
    monkeypatch.setenv("AWS_PROFILE", "nonexistent")
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(broken))
    client = Aws(ENDPOINT, "000000000000", "eu-west-1").sqs
    assert (ENDPOINT, "eu-west-1") == (client.meta.endpoint_url, client.meta.region_name)
