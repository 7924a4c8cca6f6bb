"""Play one cell again, and show all that happens: `python -m tests.faults.grid "<cell>"`."""

import argparse
import sys

from rich.console import Console

from tests.faults.grid.handlers import OURS, names
from tests.faults.grid.results import CellResult
from tests.faults.grid.run import replay


def main() -> int:
    """Play the cell of the arguments; 1 if it is not as promised, 2 if there is no such cell."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.grid", description=__doc__)
    parser.add_argument("cell", help="scenario / call / fault / company")
    parser.add_argument("--handler", choices=names(), default=OURS)
    arguments = parser.parse_args()
    try:
        result = replay(arguments.cell, arguments.handler)
    except ValueError as error:
        parser.error(str(error))
    _show(result)
    return 0 if result.is_as_promised else 1


def _show(result: CellResult) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for line in (*result.story, "", *result.log, "", f"{result.cell}: {result.outcome}"):
        console.print(line, markup=False)
    for rule in result.broken:
        console.print(f"  broken: {rule}", markup=False)
    if result.error:
        console.print(f"  {result.error}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
