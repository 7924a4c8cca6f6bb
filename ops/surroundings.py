"""Where AWS and the vendors answer: as the environment says, or in the local cloud that runs."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import boto3

from lambda_src.core.contract import TWILIO_BASE_URL
from ops.errors import OperatorError

RUNNING_LOCAL_CLOUD = Path(__file__).parents[1] / ".cache" / "local" / "running.json"
"""Where `make local` writes down how it is reached."""
OPENAI_BASE_URL = "OPENAI_BASE_URL"  # the SDK's own variable


@dataclass(frozen=True)
class Surroundings:
    """A session with AWS, and the vendors' addresses.

    Attributes:
        session: Makes the clients, with the credentials in use.
        endpoint: URL of an AWS that is not Amazon's; None lets the SDK find its own
            (`AWS_ENDPOINT_URL`, or the region's).
        base_urls: The vendors' addresses by variable; one that is missing is the vendor's own.
    """

    session: boto3.Session
    endpoint: str | None = None
    base_urls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> "Surroundings":
        """The usual credential chain, and the vendors unless the environment leads elsewhere."""
        names = (TWILIO_BASE_URL, OPENAI_BASE_URL)
        base_urls = {name: environment[name] for name in names if environment.get(name)}
        # As AWS's command line does; the SDK itself knows the older AWS_DEFAULT_REGION alone.
        session = boto3.Session(region_name=environment.get("AWS_REGION") or None)
        return cls(session, base_urls=base_urls)

    @classmethod
    def of_local_cloud(cls, state_file: Path = RUNNING_LOCAL_CLOUD) -> "Surroundings":
        """The local cloud that `make local` keeps running in another terminal.

        Raises:
            OperatorError: None runs.
        """
        try:
            running = json.loads(state_file.read_text("utf-8"))
            os.kill(running["pid"], 0)
        except (OSError, ValueError, KeyError, TypeError):
            raise OperatorError(
                "no local cloud runs here: start one with `make local` in another terminal"
            ) from None
        session = boto3.Session(
            aws_access_key_id=f"local-cloud-{running['account']}",
            aws_secret_access_key="local-cloud",  # noqa: S106 - the embedded AWS takes any
            region_name=running["region"],
        )
        return cls(session, running["endpoint"], running.get("base_urls", {}))
