"""Everything that could be wrong with the alarm chain, one thing at a time."""

from tests.alarms.mutations.mutation import Mutation, Patient
from tests.alarms.mutations.of_alarms import OF_ALARMS
from tests.alarms.mutations.of_delivery import OF_DELIVERY
from tests.alarms.mutations.of_filters import OF_FILTERS
from tests.alarms.mutations.of_lines import OF_LINES
from tests.alarms.mutations.of_math import OF_MATH

MUTATIONS = (*OF_LINES, *OF_FILTERS, *OF_ALARMS, *OF_MATH, *OF_DELIVERY)

__all__ = ["MUTATIONS", "Mutation", "Patient"]
