"""What the fork server loads before it forks workers: imported there, and nowhere else.

Workers then start in milliseconds, as warm as an import can make them and with no state.
"""

import os

from tests.faults.grid.virtual_time import PROCESS_TIME

for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]  # the AWS setup of whoever runs it does not exist
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
PROCESS_TIME.install()

from tests.faults.grid.warming import warm_up  # noqa: E402 - after its time was put in place

warm_up()
