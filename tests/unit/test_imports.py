"""Imports go one way; the rules are those of ARCHITECTURE.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.prober.vantages import AGENT

ROOT = Path(__file__).resolve().parents[2]
OURS = ("conformance", "fixtures", "reports", "tests", "benchmarks")

RULES = {
    "fixtures": ("fixtures",),
    "fixtures/checks": (
        "fixtures.checks",
        "fixtures.history",
        "fixtures.errors",
        "fixtures.loads",
        "fixtures.probes",
        "fixtures.verdicts",
    ),
    "reports": (
        "reports",
        "fixtures.budgets",
        "fixtures.cases",
        "fixtures.checks",
        "fixtures.commands",
        "fixtures.errors",
        "fixtures.history",
        "fixtures.loads",
        "fixtures.noted",
        "fixtures.probes",
        "fixtures.redaction",
        "fixtures.requirements",
        "fixtures.verdicts",
    ),
    "conformance": ("conformance", "fixtures"),
    "conftest.py": ("fixtures", "reports"),
}
"""What modules of this project a file or folder may import; where two rules cover a file, both hold."""

STANDARD_LIBRARY_ONLY = ("fixtures/prober/agent",)
"""Packages whose files import the standard library and, relatively, each other."""
LIBRARIES = {"http2.py": {"h2"}, "websocket.py": {"wsproto"}}
"""But for these, which only pods that have the libraries import."""


def modules_below(place: str) -> list[Path]:
    """The Python files of a rule."""
    path = ROOT / place
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def imports_of(path: Path, package: str) -> Iterator[tuple[int, str]]:
    """The line and full name of everything that a file imports, also inside functions.

    Args:
        path: the file.
        package: the package that it is a module of, to resolve relative imports.
    """
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def within(name: str, allowed: tuple[str, ...]) -> bool:
    """Whether a module, or a name in it, belongs to one of the allowed packages."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in allowed)


def strays(path: Path, allowed: tuple[str, ...]) -> list[str]:
    """The imports of this project in a file that are not allowed, one per line."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    found = imports_of(path, package)
    ours = [(line, name) for line, name in found if name.partition(".")[0] in OURS]
    return [f"{path.relative_to(ROOT)}:{line}: {name}" for line, name in ours if not within(name, allowed)]


@pytest.mark.parametrize("place", RULES)
def test_imports_go_one_way(place: str) -> None:
    files = modules_below(place)
    assert files
    assert [stray for path in files for stray in strays(path, RULES[place])] == []


@pytest.mark.parametrize("place", STANDARD_LIBRARY_ONLY)
def test_what_ships_into_pods_needs_the_standard_library_only(place: str) -> None:
    files = modules_below(place)
    assert files
    package = place.replace("/", ".")
    for path in files:
        found = {name for _, name in imports_of(path, package) if not within(name, (package,))}
        needed = {name.partition(".")[0] for name in found} - sys.stdlib_module_names
        assert needed == LIBRARIES.get(path.name, set()), path


def test_the_agent_starts_without_libraries() -> None:
    code = f"import sys; sys.path.append({str(AGENT.parent)!r}); import agent.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stdout.split()} & set().union(*LIBRARIES.values()) == set()


def test_locust_is_imported_by_its_own_processes_alone() -> None:
    patching, own = ("gevent", "locust"), ROOT / "fixtures" / "load" / "locustfile.py"
    files = [path for place in OURS for path in modules_below(place) if path != own]
    found = [f"{path}: {name}" for path in files for _, name in imports_of(path, "") if within(name, patching)]
    assert found == []
    assert any(within(name, patching) for _, name in imports_of(own, "fixtures.load"))


@pytest.mark.parametrize(
    ("source", "place", "stray"),
    [
        ("import conformance.dns", "reports", "conformance.dns"),
        ("from fixtures import session", "reports", "fixtures.session"),
        ("def f():\n    from fixtures.api import Api", "fixtures/checks", "fixtures.api.Api"),
        ("from ..prober import agent", "fixtures/checks", "fixtures.prober.agent"),
        ("from reports import record", "fixtures", "reports.record"),
    ],
)
def test_a_stray_import_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, place: str, stray: str
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    file = tmp_path / place / "module.py"
    file.parent.mkdir(parents=True)
    file.write_text(source, "utf-8")
    assert [line.partition(": ")[2] for line in strays(file, RULES[place])] == [stray]
