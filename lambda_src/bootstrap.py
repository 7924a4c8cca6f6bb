"""Builds the handlers of a channel from real parts, once per container."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from botocore.config import Config
from botocore.session import get_session

from lambda_src.channels import parts_of
from lambda_src.core import (
    ASSISTANTS_DIRECTORY,
    ConfigurationError,
    InvalidDefinition,
    LeaseManager,
    Settings,
    Variable,
    read_definition,
    time_budget,
)
from lambda_src.core.batch import BatchHandler
from lambda_src.core.delivery.reconciliation import Reconciler
from lambda_src.core.delivery.sending import AtMostOnceSender
from lambda_src.core.drafts import facts
from lambda_src.core.drafts.composer import MessageComposer
from lambda_src.core.flow import FailureRecorder, MessageFlow
from lambda_src.services.cloudwatch_metrics import CloudWatchMetrics
from lambda_src.services.dynamodb_service import ConversationsTable, OpenWorkTable
from lambda_src.services.secrets_manager_service import ChannelSecrets, is_within
from lambda_src.services.sqs_service import (
    ChannelQueue,
    ContextQueue,
    EventsQueue,
    HandOffQueue,
)
from lambda_src.utils import logging_config, process
from lambda_src.utils.assistant_definitions import AssistantFiles
from lambda_src.utils.context_processor import ContextParser
from lambda_src.utils.sqs_heartbeat import SQSHeartbeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from functools import _lru_cache_wrapper
    from pathlib import Path

    from mypy_boto3_sqs import SQSClient

    from lambda_src.core import (
        Answer,
        ChannelParts,
        CheckMode,
        Engine,
        GenerationRequest,
        Metrics,
        SchedulerSettings,
        Secrets,
        TextGenerator,
        VendorCheckSettings,
    )
    from lambda_src.core.delivery.events import EventBatchHandler
    from lambda_src.core.drafts.composer import Checkpoints
    from lambda_src.core.scheduled_job import JobPart, ScheduledJob
    from lambda_src.core.time_budget import TimeBudget

T = TypeVar("T")

AWS_CLIENT = Config(
    connect_timeout=time_budget.AWS_CONNECT_SECONDS,
    read_timeout=time_budget.AWS_READ_SECONDS,
    max_pool_connections=25,
    retries={"mode": "standard", "total_max_attempts": time_budget.AWS_ATTEMPTS},
    parameter_validation=False,
    user_agent="ai-multi-comms",
)
"""Timeouts that fit into the time budget, a lease and a visibility timeout.

Parameter validation and botocore's own user agent are off: they are computed anew for each call and
took a twelfth of a message's processor time. AWS validates every request itself.
"""

PACKAGE = ASSISTANTS_DIRECTORY.parents[1]
"""The directory with the runtime and, in Lambda, with the packages that an app adds."""
GENERATOR = "lambda_src.core.openai_processor"
"""A fifth of the time of all imports, needed only when the AI is asked."""
GENERATOR_TYPES = "openai.types"
"""Over four hundred modules, of which the generator imports a fifth if they are deferred."""


class LambdaContext(Protocol):
    """The part of Lambda's context object that the handler uses."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""


class EventHandler(Protocol):
    """A handler of SQS events: what `build_handler` and `build_events_handler` return."""

    def handle_event(self, event: Mapping[str, Any], remaining_ms: int) -> dict[str, Any]:
        """Process an event; see the function `handle_event`."""


@dataclass(frozen=True, slots=True)
class _Adapters:
    """What all functions of a channel use."""

    sqs: SQSClient
    queue: ChannelQueue
    table: ConversationsTable
    secrets: ChannelSecrets
    metrics: CloudWatchMetrics

    def hand_off_queue(self, url: str) -> HandOffQueue | None:
        """Return the queue of held drafts; None without its URL."""
        return HandOffQueue(self.sqs, url) if url else None


def _adapters(settings: Settings, parts: ChannelParts) -> _Adapters:
    # Not through boto3, a layer above these clients whose import takes a fifth of the start.
    aws: Any = get_session()  # its stubs do not distinguish the services
    sqs = aws.create_client("sqs", config=AWS_CLIENT)
    return _Adapters(
        sqs=sqs,
        queue=ChannelQueue(sqs, settings.queue_url, settings.heartbeat_visibility_seconds),
        table=ConversationsTable(
            aws.create_client("dynamodb", config=AWS_CLIENT),
            settings.conversations_table,
            settings.version,
            settings.conversation_retention_days,
            channel=settings.channel,
            addressing=parts.addressing,
            has_lookup=parts.make_status_lookup is not None,
        ),
        secrets=ChannelSecrets(
            aws.create_client("secretsmanager", config=AWS_CLIENT),
            settings.secret_prefixes,
            parts.read_credentials,
        ),
        metrics=_metrics(settings),
    )


def _metrics(settings: Settings | SchedulerSettings | VendorCheckSettings) -> CloudWatchMetrics:
    return CloudWatchMetrics(
        settings.powertools_metrics_namespace or f"AIComms/{settings.channel}-channel-processor"
    )


def build_events_handler(settings: Settings, parts: ChannelParts) -> EventBatchHandler:
    """Build the handler of a channel's delivery events, to be kept for the life of the container.

    Args:
        settings: The function's configuration; `queue_url` is the events queue.
        parts: The channel's own parts.

    Raises:
        ConfigurationError: The channel has no source of delivery events, or has credentials and no
            `SECRET_PREFIXES`.
    """
    # Imported here, because the processor's start does not need it.
    from lambda_src.core.delivery import events  # noqa: PLC0415

    lookup = parts.make_status_lookup(settings) if parts.make_status_lookup else None
    if not (parts.callbacks or parts.vendor_events or lookup):
        raise ConfigurationError(
            f"{Variable.CHANNEL}: the channel has no callbacks, vendor events or status lookup"
        )
    if parts.has_credentials and not settings.secret_prefixes:
        raise ConfigurationError(f"{Variable.SECRET_PREFIXES}: missing or empty")
    logging_config.configure(
        settings.log_level, f"{settings.channel}-events-worker", settings.version
    )
    if process.is_in_lambda():
        process.use_one_core()
    adapters = _adapters(settings, parts)
    return events.EventBatchHandler(
        recorder=events.EventRecorder(
            settings.channel,
            adapters.table,
            adapters.secrets,
            time.time,
            callbacks=parts.callbacks,
            vendor_events=parts.vendor_events,
            lookup=lookup,
        ),
        queue=adapters.queue,
        metrics=adapters.metrics,
        clock=time.time,
        max_concurrency=settings.max_concurrency,
        backoff_base=settings.backoff_base_seconds,
    )


def build_scheduler(settings: SchedulerSettings) -> ScheduledJob:
    """Build a channel's scheduled job, to be kept for the life of the container.

    Args:
        settings: The function's configuration.
    """
    # Imported here, because the processor's start does not need it.
    from lambda_src.core import scheduled_job  # noqa: PLC0415

    logging_config.configure(settings.log_level, f"{settings.channel}-scheduler", settings.version)
    aws: Any = get_session()  # its stubs do not distinguish the services
    sqs = aws.create_client("sqs", config=AWS_CLIENT)
    records = OpenWorkTable(
        aws.create_client("dynamodb", config=AWS_CLIENT),
        settings.conversations_table,
        settings.channel,
    )
    metrics, clock = _metrics(settings), time.time
    parts: list[JobPart] = [
        scheduled_job.HeldDrafts(records, metrics, clock),
        scheduled_job.ApprovedDrafts(
            records, ContextQueue(sqs, settings.queue_url), metrics, clock
        ),
    ]
    if settings.events_queue_url:
        events_queue = EventsQueue(sqs, settings.events_queue_url)
        rate = settings.delivery_lookups_per_second
        parts.append(scheduled_job.LookupScheduler(records, events_queue, metrics, clock, rate))
    return scheduled_job.ScheduledJob(parts, clock)


def build_vendor_check(settings: VendorCheckSettings) -> ScheduledJob:
    """Build a channel's vendor check, to be kept for the life of the container.

    The assistants of another repository's channel are those of its package, and its templates are
    not checked.

    Args:
        settings: The function's configuration.

    Raises:
        ConfigurationError: A deployed assistant definition is invalid.
    """
    # Imported here, because the processor's start does not need them.
    from lambda_src.core.openai_processor import OpenAIProcessor  # noqa: PLC0415
    from lambda_src.core.retirement import RetiringModels, UnapprovedTemplates  # noqa: PLC0415
    from lambda_src.core.scheduled_job import ScheduledJob  # noqa: PLC0415

    try:
        parts = parts_of(settings.channel)
    except ConfigurationError:  # another repository's channel
        parts = None
    service = f"{settings.channel}-vendor-check"
    logging_config.configure(settings.log_level, service, settings.version)
    aws: Any = get_session()  # its stubs do not distinguish the services
    secrets = ChannelSecrets(
        aws.create_client("secretsmanager", config=AWS_CLIENT),
        settings.secret_prefixes,
        parts.read_credentials if parts else None,
    )
    openai_prefix, *credentials_prefixes = settings.secret_prefixes
    metrics, clock = _metrics(settings), time.time
    catalog = OpenAIProcessor(settings.openai_base_url)
    checks: list[JobPart] = [
        RetiringModels(deployed_models(parts), catalog, secrets, openai_prefix, metrics, clock)
    ]
    if parts and parts.template_state:
        state = partial(parts.template_state, settings)
        checks += [
            UnapprovedTemplates(state, secrets, prefix, metrics, clock)
            for prefix in credentials_prefixes
        ]
    return ScheduledJob(checks, clock)


def deployed_models(parts: ChannelParts | None) -> list[str]:
    """Return the models of the assistant definitions that are deployed with a channel.

    Raises:
        ConfigurationError: A definition is invalid.
    """
    directories: Iterable[Path] = PACKAGE.glob(f"*/{ASSISTANTS_DIRECTORY.name}")
    if parts:
        directories = [parts.assistants or ASSISTANTS_DIRECTORY]
    paths = (path for directory in directories for path in directory.glob("*.toml"))
    try:
        return sorted({read_definition(path).model for path in paths})
    except InvalidDefinition as error:
        raise ConfigurationError(str(error)) from None


def build_composer(
    parts: ChannelParts,
    *,
    leases: Checkpoints,
    secrets: Secrets,
    generator: TextGenerator,
    metrics: Metrics,
    times: TimeBudget,
    check_mode: CheckMode,
) -> MessageComposer:
    """Build a channel's composer, for its handler or for a preview that stores nothing.

    Args:
        parts: The channel's own parts.
        leases: Stores checkpoints.
        secrets: The channel's secrets.
        generator: The AI.
        metrics: Receives its times and tokens.
        times: The timeouts of the flow.
        check_mode: Whether a failed check holds a draft.
    """
    return MessageComposer(
        leases=leases,
        secrets=secrets,
        assistants=AssistantFiles(parts.assistants or ASSISTANTS_DIRECTORY),
        generator=generator,
        metrics=metrics,
        clock=time.time,
        times=times,
        text_rules=parts.text_rules,
        check_mode=check_mode,
    )


def build_handler(settings: Settings, parts: ChannelParts) -> BatchHandler:
    """Build a channel's handler, to be kept for the life of the container.

    Args:
        settings: The function's configuration.
        parts: The channel's own parts.
    """
    service = f"{settings.channel}-channel-processor"
    logging_config.configure(settings.log_level, service, settings.version)
    clock, times = time.time, settings.times
    adapters = _adapters(settings, parts)
    queue, table, secrets = adapters.queue, adapters.table, adapters.secrets
    metrics = adapters.metrics
    leases = LeaseManager(table, clock, settings.lease_seconds)
    vendor = parts.make_sender(settings)
    sender = AtMostOnceSender(
        leases=leases,
        secrets=secrets,
        sender=vendor,
        metrics=metrics,
        clock=clock,
        times=times,
        callback_base_url=settings.callback_base_url if parts.callbacks else "",
    )
    composer = build_composer(
        parts,
        leases=leases,
        secrets=secrets,
        generator=_LazyGenerator(settings),
        metrics=metrics,
        times=times,
        check_mode=settings.draft_checks,
    )
    flow = MessageFlow(
        leases=leases,
        secrets=secrets,
        composer=composer,
        sender=sender,
        failures=FailureRecorder(table, clock),
        reconciler=Reconciler(table, secrets, vendor, sender, clock, times, parts.has_message_list),
        queue=queue,
        clock=clock,
        hand_off_queue=adapters.hand_off_queue(settings.handoff_queue_url),
    )
    if process.is_in_lambda():
        process.use_one_core()
        process.defer_packages(GENERATOR_TYPES)
        process.preload((*parts.preload_modules, GENERATOR), facts.prepare)
    return BatchHandler(
        queue=queue,
        heartbeat=partial(
            SQSHeartbeat, extend=queue.extend, interval=settings.heartbeat_interval_seconds
        ),
        parse=ContextParser.for_channel(
            settings.channel, parts, partial(is_within, prefixes=settings.secret_prefixes)
        ),
        flow=flow,
        metrics=metrics,
        clock=clock,
        max_concurrency=settings.max_concurrency,
        backoff_base=settings.backoff_base_seconds,
    )


def build_configured(
    build: Callable[[Settings, ChannelParts], T], *, needs_secrets: bool = True
) -> T:
    """Build a handler for the environment's variables and the channel that CHANNEL names.

    Args:
        build: Builds the handler from settings and parts.
        needs_secrets: Whether the function reads secrets on every channel.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    settings = Settings.from_environment(needs_secrets=needs_secrets)
    return build(settings, parts_of(settings.channel))


def once_per_container(build: Callable[[], T]) -> _lru_cache_wrapper[T]:
    """Return a function that builds a handler once: in Lambda now, otherwise at its first call.

    A misconfigured function thus fails at its start, and never receives a message.

    Args:
        build: Builds the handler; what it uses must be defined before it.
    """
    cached = cache(build)
    if process.is_in_lambda():
        cached()
    return cached


def handle_event(
    handler: EventHandler, event: Mapping[str, Any], context: LambdaContext
) -> dict[str, Any]:
    """Process an SQS event, as a Lambda handler.

    Args:
        handler: From `build_handler` or `build_events_handler`.
        event: An SQS event.
        context: Lambda's context; its remaining time limits all work.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}, …]}`, the messages that must not be
        deleted.
    """
    return handler.handle_event(event, context.get_remaining_time_in_millis())


class _LazyGenerator:
    """The AI, imported at its first use: most of a cold start consists of imports."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._generator: TextGenerator | None = None
        self._lock = Lock()

    def generate(self, api_key: str, request: GenerationRequest) -> Answer:
        """Write one message."""
        return self._loaded().generate(api_key, request)

    def moderate(self, api_key: str, texts: Sequence[str], timeout: float) -> tuple[str, ...]:
        """Return the categories for which moderation flags a text."""
        return self._loaded().moderate(api_key, texts, timeout)

    def discard(self, api_key: str, engine: Engine, openai_id: str, timeout: float) -> bool:
        """Delete a conversation, response or thread; return False if it may still exist."""
        return self._loaded().discard(api_key, engine, openai_id, timeout)

    def _loaded(self) -> TextGenerator:
        with self._lock:
            if self._generator is None:
                # Deferred, see the class.
                from lambda_src.core.openai_processor import OpenAIProcessor  # noqa: PLC0415

                self._generator = OpenAIProcessor(
                    self._settings.openai_base_url, self._settings.assistants_base_url
                )
            return self._generator
