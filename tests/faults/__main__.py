"""The proof from the command line: `python -m tests.faults --help`."""

if __name__ == "__main__":
    # Only here: worker processes import this file, too, and must not import more.
    from ops.console import print_in_any_encoding
    from tests.faults.command import app

    print_in_any_encoding()
    app()
