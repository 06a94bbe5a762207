"""What users of AKS have complained of: every complaint has its row in docs/aks.md, and what the row names exists."""

from __future__ import annotations

import re

import pytest

from tests.unit.frame import ROOT

IDS = {
    *(f"A{number}" for number in range(1, 11)),
    *(f"B{number}" for number in range(1, 7)),
    *(f"C{number}" for number in range(1, 4)),
    *(f"D{number}" for number in range(1, 8)),
    *(f"E{number}" for number in range(1, 5)),
    *(f"F{number}" for number in range(1, 6)),
}
LIVE = {"A1", "A7", "B3", "C1", "C2", "D6", "E3", "F2", "F3"}
"""Those that need a live AKS; all others must be shown on the built-in cluster."""
NAMED = re.compile(r"`([^`]+)`")


def rows() -> dict[str, tuple[str, str]]:
    """What shows each complaint, and where, by its id."""
    text = (ROOT / "docs" / "aks.md").read_text("utf-8")
    found = re.findall(r"^\| ([A-F]\d+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert len(found) == len({id for id, _, _ in found}), "no complaint twice"
    return {id: (shown, where.strip()) for id, shown, where in found}


def test_every_complaint_has_its_row() -> None:
    assert set(rows()) == IDS


@pytest.mark.parametrize("id", sorted(IDS))
def test_what_shows_a_complaint_exists_or_is_said_to_be_missing(id: str) -> None:
    shown, where = rows()[id]
    promises = set(re.findall(r"^### (\S+)$", (ROOT / "docs" / "CATALOG.md").read_text("utf-8"), re.MULTILINE))
    for name in NAMED.findall(shown):
        file, _, test = name.partition("::")
        if test:
            assert f"def {test}(" in (ROOT / file).read_text("utf-8"), name
        else:
            assert name in promises
    if id in LIVE:
        assert where.startswith("live: ")
        assert NAMED.search(shown) or shown.startswith("no test: ")
    else:
        assert where.startswith("emulated")
        assert NAMED.search(shown)
