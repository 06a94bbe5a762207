"""The map of upstream's tests: every one has an answer, and what it answers exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.coverage import COLUMNS, FILE, PAGE, page, read
from fixtures.errors import UsageError
from tests.unit.frame import ROOT, Frame
from tests.unit.test_frame_catalogue import catalogue

pytest_plugins = ["pytester"]

KNOWN = ("dns.a", "dns.b", "affinity.c")
GOOD = "dns.go\tyes\tDNS\tshould resolve\tdns.a dns.b"


def written(folder: Path, *rows: str, head: str = "\t".join(COLUMNS)) -> Path:
    """A coverage file with these rows."""
    path = folder / FILE.name
    path.write_text("\n".join((head, *rows)) + "\n", "utf-8")
    return path


def test_every_upstream_test_of_services_has_its_row() -> None:
    # That each row answers, and that ids exist, is checked whenever the page is generated.
    lines = (ROOT / FILE).read_text("utf-8").splitlines()[1:]
    assert (len(lines), sum(line.split("\t")[1] == "yes" for line in lines)) == (188, 43)
    assert (ROOT / PAGE).is_file()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("dns.go\tyes\tDNS\tshould resolve", "line 3: found 4 fields"),
        ("dns.go\tyes\tDNS\tshould resolve\t", "line 3: found 4 fields"),
        ("dns.go\tmaybe\tDNS\tshould resolve\tdns.a", "line 3: conformance: found 'maybe'"),
        ("dns.go\tyes\tDNS\tshould be there\tdns.z", "line 3: answer: found dns.z, which is no promise"),
        ("dns.go\tyes\tDNS\tshould be there\tlater: dns", "line 3: answer: found 'later: dns'"),
        ("dns.go\tyes\tDNS\tshould be there\tplanned: ", "line 3: answer: found 'planned: '"),
        (GOOD, "found twice: dns.go / DNS / should resolve"),
    ],
)
def test_a_row_that_does_not_answer_is_refused(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(written(tmp_path, GOOD, row), KNOWN)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"line 1: .* allowed are the columns file, conformance"):
        read(written(tmp_path, GOOD, head="file\ttest"), KNOWN)


def test_the_page_counts_and_names_what_is_ours_alone(tmp_path: Path) -> None:
    planned = "proxy.go\tno\tProxy\tshould a|b\tplanned: proxies"
    text = page(read(written(tmp_path, GOOD, planned), KNOWN), KNOWN)
    assert "| covered | 1 | 1 |" in text
    assert "| planned | 1 | 0 |" in text
    assert "| DNS: should resolve | C | `dns.a`, `dns.b` |" in text
    assert "| Proxy: should a\\|b |  | *planned*: proxies |" in text
    assert text.endswith("1 of 3 promises have no upstream test.\n\naffinity: `affinity.c`\n")


def test_a_stale_page_is_out_of_date(frame: Frame) -> None:
    (frame.path / FILE).write_text("\t".join(COLUMNS) + "\na.go\tno\tA\tshould\tcluster_ip.kept\n", "utf-8")
    assert catalogue(frame.path).returncode == 0
    assert catalogue(frame.path, "--check").returncode == 0
    (frame.path / FILE).write_text("\t".join(COLUMNS) + "\na.go\tno\tA\tshould\tplanned: x\n", "utf-8")
    assert f"out of date: {PAGE}" in catalogue(frame.path, "--check").stdout
