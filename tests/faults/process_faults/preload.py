"""Loaded by the fork server before it forks workers; nothing else may import this module.

Workers then start within milliseconds: every library is imported and warm, and no state is kept.
"""

import os
from importlib import import_module

from tests.faults.process_faults._clock import install

for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]  # the developer's AWS configuration must not be used
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
install()
# Only now, because some libraries keep a reference to `time.time` when they are imported.
import_module("tests.faults.process_faults.worker").warm_up()
