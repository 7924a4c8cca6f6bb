"""Runs with the package only: handles the SQS events of its input, and prints what it imported.

Every line of input is an event; the last line of output is a JSON array of modules.
"""

import json
import sys
from types import SimpleNamespace

sys.path.insert(0, ".")

from lambda_src.index import lambda_handler

if __name__ == "__main__":
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 170_000)
    for line in sys.stdin:
        lambda_handler(json.loads(line), context)
        print("handled", flush=True)  # noqa: T201 - the reader waits for it
    print(json.dumps(sorted(sys.modules)))  # noqa: T201 - the output
