"""`python -m reports`: `render DIR`, `compare OLD NEW`, `merge DIR...`, `validate FILE`, `collect DIR` and `schema`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from fixtures.commands import CommandParser
from fixtures.errors import UsageError
from reports import compare, conformance, handover, markdown, merge, outputs, record, results, summary
from reports.page.document import comparison

SCHEMAS = {"run.schema.json": record.schema, "conformance.schema.json": conformance.schema}
"""How each committed schema is made."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code (0, 1 an output could not be made or a run is worse, 4 bad input)."""
    parser = CommandParser(prog="python -m reports", description="Reports from the record of a run.")
    commands = parser.add_subparsers(dest="command", required=True)
    render = commands.add_parser("render", help="make every output again from the record")
    render.add_argument("folder", type=Path, metavar="DIR", help="the report folder of a run")
    render.add_argument("--job-summary", type=Path, metavar="FILE", help="append a summary in Markdown to FILE")
    compare_ = commands.add_parser("compare", help="say what is different in the second of two runs; 1: it is worse")
    compare_.add_argument("old", type=Path, metavar="OLD", help="the report folder of a run")
    compare_.add_argument("new", type=Path, metavar="NEW", help="the report folder of a later run")
    compare_.add_argument("--html", type=Path, metavar="FILE", help="write an HTML page, too")
    merging = commands.add_parser("merge", help="join the reports of the parts of a run (--shard)")
    merging.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="the report folder of a part")
    merging.add_argument("--into", type=Path, required=True, metavar="DIR", help="the report folder of the whole")
    validate = commands.add_parser("validate", help="hold conformance.yaml against its schema and the record beside it")
    validate.add_argument("file", type=Path, metavar="FILE", help="conformance.yaml, with or without a run's folder")
    collect = commands.add_parser("collect", help="wait for a report that is handed over, and print it in base64")
    collect.add_argument("folder", type=Path, metavar="DIR", help="RESULTS_DIR of the container that runs the suite")
    commands.add_parser("schema", help=f"write {', '.join(SCHEMAS)}: the formats of what a run leaves")
    try:
        options = parser.parse_args(arguments)
        if options.command == "render":
            return _render(options.folder, options.job_summary)
        if options.command == "compare":
            return _compare(options.old, options.new, options.html)
        if options.command == "collect":
            return _collect(options.folder)
        if options.command == "merge":
            return _merge(options.folders, options.into)
        return _validate(options.file) if options.command == "validate" else _write_schemas()
    except UsageError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 4


def _render(folder: Path, job_summary: Path | None) -> int:
    outputs.must_be_writable(folder)
    outputs.must_be_as_reported(folder)
    total, lost = outputs.render(folder, strict=True)
    if job_summary:
        lost += markdown.append(total, job_summary)
    for line in summary.summary(total):
        print(line.text)
    for text in lost:
        print(f"ERROR: {text}", file=sys.stderr)
    return 1 if lost else 0


def _merge(folders: Sequence[Path], into: Path) -> int:
    total, lost = merge.merge(folders, into, str(into))
    for line in summary.summary(total):
        print(line.text)
    for text in lost:
        print(f"ERROR: {text}", file=sys.stderr)
    return 1 if lost else 0


def _collect(folder: Path) -> int:
    handover.collect(folder, sys.stdout.buffer)
    return 0


def _compare(old: Path, new: Path, html: Path | None) -> int:
    found = compare.compare(results.load(old), results.load(new))
    console = Console(highlight=False, soft_wrap=True)
    for line in compare.lines(found):
        console.print(line.text, style=line.colour, markup=False)
    if html:
        try:
            outputs.replace(html, comparison(found))
        except OSError as error:
            raise UsageError(f"--html: {html} cannot be written: {error.strerror}") from error
    return 1 if found.regressions else 0


def _validate(file: Path) -> int:
    """Judge a conformance.yaml: by itself, and by the record it names when that lies beside it."""
    found = conformance.read(file)
    if (file.parent / found.record.file).is_file():
        outputs.must_be_as_reported(file.parent)
        if conformance.report(results.load(file.parent)) != found:
            raise UsageError(f"{file}: it is not what its record gives; python -m reports render makes it again")
    print(f"{file}: {found.kind} of run {found.run.id}: {found.profiles[0].result}")
    return 0


def _write_schemas() -> int:
    for name, make in SCHEMAS.items():
        Path(__file__).with_name(name).write_text(make(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
