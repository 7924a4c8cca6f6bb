"""The whole local cloud: everything that a message meets between the queue and the phone."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

from local import paths
from local.alerts import AlertsInbox
from local.assembly import ENVIRONMENT, Assembly
from local.aws import Aws
from local.channel import Channel
from local.channels import Channels, deployed_channels
from local.deployment import bootstrap, deploy
from local.dynamodb_gateway import DynamoDBGateway
from local.metric_relay import MetricRelay, RelayThread
from local.ministack import AWS_LOG, HOST, MiniStack, free_port
from local.outage import outage_named
from local.project import Project, own_project
from local.queue_gauge import AgeGauge, QueueGauge
from local.resources import Resources
from local.vendors import Vendors

ACCOUNT = "000000000000"
REGION = "us-east-1"

Step = Callable[[str], AbstractContextManager[object]]
"""Told what is being done, gives a context manager around the doing of it."""


class World:
    """The deployed development environment, running on this machine for a `with` block.

    Args:
        vendors: who answers for OpenAI and for the channel's vendor.
        workdir: takes the logs of the parts.
        step: told of each step of setting up, and of stopping.
        project: the app; this repository's own, unless another is named.

    Attributes:
        aws: the embedded AWS.
        gateway: what stands between the deployed function and DynamoDB.
        vendors: as given.

    Within the block there are also `ministack`, `channels` by their names, and `alerts`.
    """

    ministack: MiniStack
    channels: Channels
    alerts: AlertsInbox

    def __init__(
        self,
        vendors: Vendors,
        *,
        workdir: Path,
        step: Step = lambda _: nullcontext(),
        project: Project | None = None,
    ) -> None:
        self._project = project or own_project()
        account, region = _target(self._project)
        self.aws = Aws(f"http://{HOST}:{free_port()}", account, region)
        self.gateway = DynamoDBGateway(self.aws.endpoint)
        self.vendors = vendors
        self._workdir = workdir
        self._step = step
        self._running = ExitStack()

    @property
    def channel(self) -> Channel:
        """The channel that was registered first."""
        return next(iter(self.channels.values()))

    @property
    def resources(self) -> Resources:
        """The names of that channel's resources."""
        return self.channel.resources

    def __enter__(self) -> Self:
        try:
            self._set_up(self._running)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        with self._step("stop everything"):
            return self._running.__exit__(kind, error, trace)

    def _set_up(self, starting: ExitStack) -> None:
        """Start everything; the synthesis, where one is needed, runs beside the rest."""
        starting.enter_context(outage_named(self._workdir / AWS_LOG))
        assembly = starting.enter_context(Assembly(paths.CACHE / "assemblies", self._project))
        self._start_servers(starting)
        with self._step("prepare the account: cdk bootstrap"):
            bootstrap(self.aws, self._workdir)
        if not assembly.ready:
            with self._step(f"synthesize the infrastructure: cdk synth -c env={ENVIRONMENT}"):
                assembly.directory()
        with self._step("deploy it: cdk deploy --all"):
            deploy(self.aws, assembly.directory(), self._workdir)
        with self._step("store the secrets, watch the log"):
            self._connect(starting)

    def _start_servers(self, starting: ExitStack) -> None:
        with self._step("start the embedded AWS and its neighbours"):
            starting.enter_context(self.vendors)
            starting.enter_context(self.gateway)
            self.ministack = MiniStack(
                self.aws,
                workdir=self._workdir,
                function_environment={
                    **self.vendors.function_environment(),
                    "AWS_ENDPOINT_URL_DYNAMODB": self.gateway.url,
                },
            )
            starting.enter_context(self.ministack)

    def _connect(self, starting: ExitStack) -> None:
        self.vendors.store_secrets(self.aws)
        self.channels = deployed_channels(self.aws, self._project)
        self.alerts = AlertsInbox(self.aws, self.resources.topic_arn)
        starting.enter_context(RelayThread(*self._relays()))

    def _relays(self) -> Iterator[Callable[[], object]]:
        for channel in self.channels.values():
            yield MetricRelay(self.aws, channel.resources.log_group).relay_new_lines
            yield QueueGauge(self.aws, channel.resources.dead_letter_queue_url).relay
            yield AgeGauge(self.aws, channel.resources.queue_url).relay


def _target(project: Project) -> tuple[str, str]:
    """Account and region that the environment is bound to, or else any."""
    configuration = json.loads((project.root / "cdk.json").read_text("utf-8"))
    environment = configuration["context"]["environments"][ENVIRONMENT]
    return environment.get("account") or ACCOUNT, environment.get("region") or REGION
