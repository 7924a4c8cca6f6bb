"""An embedded AWS that is gone is one error."""

from pathlib import Path

import pytest

from local.aws import Aws
from local.errors import LocalCloudError
from local.ministack import HOST, free_port
from local.outage import outage_named

LOG = Path("aws.log")


def test_an_aws_that_is_gone_is_one_error_that_names_its_log() -> None:
    """A call to an address where nothing listens ends as one error with the log's name."""
    aws = Aws(f"http://{HOST}:{free_port()}", "000000000000", "eu-west-1")
    with pytest.raises(LocalCloudError, match=r"not answer any more.*aws\.log"), outage_named(LOG):
        aws.sqs.list_queues()


def test_other_errors_stay_what_they_are() -> None:
    """An error that is not about the connection passes as it is."""
    with pytest.raises(KeyError), outage_named(LOG):
        raise KeyError
