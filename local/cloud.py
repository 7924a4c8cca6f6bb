"""The local cloud: the app on an embedded AWS, and everything that a message passes through."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lambda_src.core.contract import Variable
from local import paths
from local.aws import Aws
from local.channel import Channel, Channels, Resources, deployed_channels, physical_ids
from local.deployment import (
    ENVIRONMENT,
    CloudAssembly,
    Project,
    bootstrap,
    default_project,
    deploy,
)
from local.dynamodb_proxy import DynamoDBProxy
from local.emulator.alerts import AlertSubscription
from local.emulator.callback_urls import callback_base_url, with_callback_url
from local.emulator.feed import Feed
from local.emulator.metric_math import MathMetric
from local.emulator.metric_relay import MetricRelay, RelayThread
from local.emulator.ministack import AWS_LOG, MiniStack, map_connection_errors
from local.emulator.queue_metrics import queue_metric
from local.fakes import FakeService
from local.fakes.server import HOST, reserve_port
from local.fault_injection import AWS
from local.vendors import FakeVendors, RealVendors, Vendors
from ops.endpoints import LocalCloudState

FASTER: Mapping[str, str] = {Variable.SETTLE_DELAYS_SECONDS: "5,10,20"}
"""Variables with which a send of unknown outcome, at a fake, soon waits for an operator."""
LIST_LAG_SECONDS = 120
"""How long an operator waits before a message that a fake does not list counts as not sent."""
ACCOUNT = "000000000000"
REGION = "us-east-1"

Step = Callable[[str], AbstractContextManager[object]]
"""Receives the description of a step; the context manager is entered while the step runs."""


class LocalCloud:
    """The deployed development environment, running on this machine for a `with` block.

    Args:
        vendors: OpenAI and the channels' vendor.
        workdir: the directory of the parts' logs.
        step: called for each step of starting, and for stopping.
        project: the app; this repository's own by default.
        port: the embedded AWS's, and the one before that of the proxy, if they are free; by default
            any.

    Attributes:
        aws: the embedded AWS.
        dynamodb_proxy: between the deployed functions and DynamoDB.
        operator_proxy: between operators and DynamoDB; no fault is injected into it.
        vendors: as given.
        ministack: the embedded AWS's process; set on entry.
        channels: the channels by name; set on entry.
        alerts: a subscription of the alerts topic; set on entry.
    """

    ministack: MiniStack
    channels: Channels
    alerts: AlertSubscription

    def __init__(
        self,
        vendors: Vendors,
        *,
        workdir: Path,
        step: Step = lambda _: nullcontext(),
        project: Project | None = None,
        port: int = 0,
    ) -> None:
        self._project = project or default_project()
        account, region = _account_and_region(self._project)
        # Other servers with ports of their own are started before the embedded AWS.
        self._reserved = reserve_port(port)
        self.aws = Aws(f"http://{HOST}:{self._reserved.getsockname()[1]}", account, region)
        self.feed = Feed(self.aws)
        self.dynamodb_proxy = DynamoDBProxy(self.aws.endpoint)
        self.dynamodb_proxy.prefer_port(port and port + 1)
        self.operator_proxy = DynamoDBProxy(self.aws.endpoint)
        self.vendors = vendors
        self._workdir = workdir
        self._step = step
        self._running = ExitStack()

    @property
    def channel(self) -> Channel:
        """The default channel, which was registered first."""
        return next(iter(self.channels.values()))

    @property
    def resources(self) -> Resources:
        """The names of the default channel's resources."""
        return self.channel.resources

    @property
    def fakes(self) -> dict[str, FakeService[Any]]:
        """What faults can be injected into, by name."""
        vendors = self.vendors
        fakes = vendors.by_name() if isinstance(vendors, FakeVendors | RealVendors) else {}
        return {**fakes, AWS: self.dynamodb_proxy}

    def state(self) -> LocalCloudState:
        """Return how other programs reach it, such as the operator's commands."""
        inbox, is_real = self.vendors.inbox, isinstance(self.vendors, RealVendors)
        return LocalCloudState(
            pid=os.getpid(),
            endpoint=self.aws.endpoint,
            account=self.aws.account,
            region=self.aws.region,
            inboxes=list(inbox.origins) if inbox else [],
            has_real_vendors=is_real,
            base_urls={} if is_real else self.vendors.function_environment(),
            list_lag_seconds=None if is_real else LIST_LAG_SECONDS,
            fakes={name: fake.origin for name, fake in self.fakes.items()},
            dynamodb=self.operator_proxy.origin,
        )

    def __enter__(self) -> Self:
        try:
            self._start(self._running)
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

    def _start(self, starting: ExitStack) -> None:
        """Start all parts; the synthesis, if one is needed, runs at the same time."""
        starting.enter_context(map_connection_errors(self._workdir / AWS_LOG))
        assembly = starting.enter_context(CloudAssembly(paths.CACHE / "assemblies", self._project))
        self._start_servers(starting)
        if not assembly.ready:
            with self._step(f"synthesize the infrastructure: cdk synth -c env={ENVIRONMENT}"):
                assembly.directory()
        with self._step("deploy it: cdk deploy --all"):
            deploy(self.aws, self._with_callback_url(assembly.directory()), self._workdir)
        with self._step("store the secrets, start the metrics"):
            self._connect(starting)

    def _with_callback_url(self, assembly: Path) -> Path:
        """Return an assembly for vendors on this machine, or for vendors that cannot reach it."""
        is_remote = isinstance(self.vendors, RealVendors)
        url = None if is_remote else callback_base_url(self.aws.endpoint)
        variables = {} if is_remote else FASTER
        return with_callback_url(assembly, self._workdir / "assembly", url, variables)

    def _start_servers(self, starting: ExitStack) -> None:
        with self._step("start the embedded AWS and the vendors"):
            starting.enter_context(self.vendors)
            starting.enter_context(self.dynamodb_proxy)
            starting.enter_context(self.operator_proxy)
            self.ministack = MiniStack(
                self.aws,
                workdir=self._workdir,
                function_environment={
                    **self.vendors.function_environment(),
                    "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb_proxy.base_url,
                },
            )
            self._reserved.close()
            starting.enter_context(self.ministack)
            bootstrap(self.aws)

    def _connect(self, starting: ExitStack) -> None:
        self.vendors.connect(self.aws)
        self.channels = deployed_channels(self.aws, self._project)
        self.alerts = AlertSubscription(self.aws, self.resources.topic_arn)
        starting.enter_context(RelayThread(*self._metric_updates()))

    def _metric_updates(self) -> Iterator[Callable[[], object]]:
        for stack in self._project.channel_stacks.values():
            for log_group in physical_ids(self.aws, stack, "AWS::Logs::LogGroup"):
                yield MetricRelay(self.aws, log_group, self.feed).update
            for queue_url in physical_ids(self.aws, stack, "AWS::SQS::Queue"):
                yield queue_metric(self.aws, queue_url, self.feed).update
        for metric in MathMetric.of_assembly(self.aws, self._workdir / "assembly", self.feed):
            yield metric.update


def _account_and_region(project: Project) -> tuple[str, str]:
    """Return the account and region of the environment, or arbitrary ones if it has none."""
    configuration = json.loads((project.root / "cdk.json").read_text("utf-8"))
    environment = configuration["context"]["environments"][ENVIRONMENT]
    return environment.get("account") or ACCOUNT, environment.get("region") or REGION
