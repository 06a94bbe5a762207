"""`python -m reports render DIR` and `python -m reports schema`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from fixtures.commands import CommandParser
from fixtures.errors import UsageError
from reports import record, run, summary

SCHEMA = Path(__file__).with_name("run.schema.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code (0, 4 bad input)."""
    parser = CommandParser(prog="python -m reports", description="Reports from the record of a run.")
    commands = parser.add_subparsers(dest="command", required=True)
    render = commands.add_parser("render", help="make junit.xml and summary.txt again from run.jsonl")
    render.add_argument("folder", type=Path, metavar="DIR", help="the report folder of a run")
    commands.add_parser("schema", help=f"write {SCHEMA.name}, the format of run.jsonl")
    try:
        options = parser.parse_args(arguments)
        if options.command == "schema":
            SCHEMA.write_text(record.schema(), "utf-8")
            return 0
        total = run.render(options.folder)
    except UsageError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 4
    for line in summary.summary(total):
        print(line.text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
