"""What vendors retire: models of the assistants, and approvals of the tenants' templates.

The parts of the vendor check, a job of its own: it reads secrets and asks vendors, and may do
nothing else.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, Protocol

from lambda_src.core.contract import (
    RETIREMENT_DAYS,
    TEMPLATE_APPROVED,
    LogEvent,
    Metric,
    Step,
)
from lambda_src.core.deadlines import map_with_deadline, thread_pool
from lambda_src.core.errors import (
    AccountRefused,
    ConfigurationRefused,
    ProcessingError,
    TransientFailure,
)
from lambda_src.core.ports import Clock, Metrics, Secrets

log = logging.getLogger(__name__)

MODEL_NOT_FOUND = "openai_model_not_found"
"""The failure code of a model that OpenAI does not serve, or not to this key's project."""
MAX_KEYS = 5
"""Keys that are asked about a model, until one of them is accepted."""
REQUEST_SECONDS = 10.0
CONCURRENT_REQUESTS = 10


class ModelCatalog(Protocol):
    """OpenAI's list of models."""

    def shutdown_date(self, api_key: str, model: str, timeout: float) -> date | None:
        """Return when a model is shut down; None if no date is announced.

        Raises:
            ConfigurationRefused: OpenAI does not serve it (`MODEL_NOT_FOUND`).
            ProcessingError: OpenAI refuses the key, or does not answer.
        """


class ListedSecrets(Secrets, Protocol):
    """The channel's secrets, and their names."""

    def names(self, prefix: str) -> Iterable[str]:
        """Yield the names of the secrets within one of the channel's prefixes.

        Raises:
            TransientFailure: Secrets Manager does not answer, or refuses.
        """


def days_left(shutdown: date, today: date) -> int:
    """Return how many days a model is still served."""
    return (shutdown - today).days


@dataclass(frozen=True, slots=True)
class RetiringModels:
    """Counts the models that OpenAI shuts down soon, or no longer serves.

    The date is the same for every key, so the first one that OpenAI accepts suffices.

    Attributes:
        models: Those of the deployed assistants.
        catalog: OpenAI's list.
        secrets: The channel's.
        prefix: Of the names of its OpenAI keys.
        metrics: Receives the number.
        clock: Returns the time in epoch seconds.
    """

    models: Sequence[str]
    catalog: ModelCatalog
    secrets: ListedSecrets
    prefix: str
    metrics: Metrics
    clock: Clock

    def run(self, deadline: float) -> None:
        """Ask about each model; log and count the ones that end within `RETIREMENT_DAYS`.

        Raises:
            ProcessingError: No key is accepted, or OpenAI does not answer: nothing is published.
        """
        today = datetime.fromtimestamp(self.clock(), UTC).date()
        references = list(islice(self.secrets.names(self.prefix), MAX_KEYS))
        retiring = 0
        for model in self.models:
            if self.clock() > deadline:
                raise TransientFailure(LogEvent.OUT_OF_TIME, Step.AI)
            left = self._days_left(model, references, today)
            if left is not None and left < RETIREMENT_DAYS:
                retiring += 1
                log.warning(
                    "the model %s is shut down in %s days",
                    model,
                    left,
                    extra={"event": LogEvent.MODEL_RETIRING, "model": model, "days_left": left},
                )
        self.metrics.publish({Metric.MODELS_RETIRING: retiring}, {})

    def _days_left(self, model: str, references: Sequence[str], today: date) -> int | None:
        """Return the days until a model's end, 0 if it is gone; None if no date is announced."""
        refused: AccountRefused | None = None
        for reference in references:
            try:
                key = self.secrets.openai_key(reference)
                shutdown = self.catalog.shutdown_date(key, model, REQUEST_SECONDS)
            except AccountRefused as error:
                # One project may lack a model or have an invalid key: the next one decides.
                if refused is None or error.code == MODEL_NOT_FOUND:
                    refused = error
            else:
                return None if shutdown is None else days_left(shutdown, today)
        if refused and refused.code == MODEL_NOT_FOUND:
            return 0
        raise refused or ConfigurationRefused("secret_missing", Step.SECRETS)


@dataclass(frozen=True, slots=True)
class UnapprovedTemplates:
    """Counts the tenants whose template the vendor does not deliver at present.

    Attributes:
        state: Returns the approval state of the template that some credentials name.
        secrets: The channel's.
        prefix: Of the names of its tenants' secrets.
        metrics: Receives the number.
        clock: Returns the time in epoch seconds.
    """

    state: Callable[[Any], str]
    secrets: ListedSecrets
    prefix: str
    metrics: Metrics
    clock: Clock

    def run(self, deadline: float) -> None:
        """Ask about each tenant's template; log and count the ones that are not approved.

        A tenant whose credentials are refused is left out: its messages raise their own alarm.

        Raises:
            ProcessingError: No tenant could be checked, and nothing is published; or the time was
                not enough for all.
        """
        references = list(self.secrets.names(self.prefix))
        states: list[str] = []
        errors: list[ProcessingError] = []

        def check(reference: str) -> None:
            try:
                states.append(self._state(reference))
            except ProcessingError as error:
                errors.append(error)
                log.warning(
                    "a template could not be checked: %s",
                    error,
                    extra={"event": LogEvent.TEMPLATE_UNCHECKED, "failure_code": error.code},
                )

        pool = thread_pool(CONCURRENT_REQUESTS)
        is_done = map_with_deadline(deadline - self.clock(), check, references, pool)
        if errors and not states:
            raise errors[0]
        unapproved = sum(state not in {"", TEMPLATE_APPROVED} for state in states)
        self.metrics.publish({Metric.TEMPLATES_NOT_APPROVED: unapproved}, {})
        if not is_done:
            raise TransientFailure(LogEvent.OUT_OF_TIME, Step.SECRETS)

    def _state(self, reference: str) -> str:
        """Return the state of a tenant's template; empty if it has none."""
        credentials = self.secrets.credentials(reference)
        if not credentials.template_id:
            return ""
        state = self.state(credentials)
        if state != TEMPLATE_APPROVED:
            log.warning(
                "a template is not approved: %s",
                state,
                extra={
                    "event": LogEvent.TEMPLATE_NOT_APPROVED,
                    "template_id": credentials.template_id,
                    "template_state": state,
                },
            )
        return state
