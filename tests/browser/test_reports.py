"""report.html of real runs, as a person uses it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import xmlschema

from reports import conformance
from reports.compare import compare
from reports.outputs import OUTPUTS, replace
from reports.page.document import comparison
from reports.results import load
from tests.browser.conftest import BROKEN, PROMISES
from tests.browser.tools import WIDTHS, Browser

RUNS = ("green", "red", "crashed", "cancelled")
ANSWERS = {"green": "Yes", "red": "No.", "crashed": "Not known.", "cancelled": "Not known."}
STATES = {"green": "finished", "red": "finished", "crashed": "broken off", "cancelled": "interrupted"}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_has_its_answer_and_every_output(runs: dict[str, Path], browser: Browser, name: str) -> None:
    assert {path.name for path in runs[name].iterdir()} >= set(OUTPUTS)
    assert conformance.read(runs[name] / conformance.FILE).run.state == STATES[name]
    browser.open(runs[name] / "report.html")
    said = browser.run("return document.querySelector('.answer-word').textContent")
    assert said.startswith(ANSWERS[name])
    assert len(browser.run("return [...document.querySelectorAll('.promise')].map(p => p.id)")) == len(PROMISES)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", RUNS)
def test_a_page_is_in_order_at_any_width(
    runs: dict[str, Path], browser: Browser, name: str, dark: bool, width: int
) -> None:
    browser.open(runs[name] / "report.html", width=width, dark=dark)
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    # In the report folder, for a person to look at.
    assert browser.driver.save_screenshot(str(runs[name] / f"{width}-{'dark' if dark else 'light'}.png"))
    assert browser.faults() == []
    assert browser.errors() == []
    assert browser.requests() == []


def test_searching_leaves_what_fits(runs: dict[str, Path], browser: Browser) -> None:
    browser.open(runs["red"] / "report.html")
    shown = "return [...document.querySelectorAll('.promise')].filter(p => p.checkVisibility()).map(p => p.id)"
    search = browser.driver.find_element("id", "search")
    search.send_keys("default type")
    assert browser.run(shown) == ["cluster_ip.is_the_default_type"]
    assert browser.driver.find_element("id", "shown").text == f"1 of {len(PROMISES)} promises"
    search.clear()
    search.send_keys("no such words")
    assert browser.run(shown) == []
    browser.run("document.getElementById('clear').click()")
    assert len(browser.run(shown)) == len(PROMISES)
    browser.run("document.querySelector('.chip[data-verdict=fail]').click()")
    assert BROKEN in browser.run(shown)
    assert "cluster_ip.is_the_default_type" not in browser.run(shown)
    assert browser.errors() == []


def test_the_keyboard_alone_opens_a_timeline(runs: dict[str, Path], browser: Browser) -> None:
    browser.open(runs["green"] / "report.html")
    body = browser.driver.find_element("css selector", "body")
    body.send_keys("/")
    assert browser.run("return document.activeElement.id") == "search"
    browser.run("document.querySelector('[id=\"lifecycle.pods_replaced_one_by_one\"] > summary').focus()")
    browser.driver.switch_to.active_element.send_keys("\n")
    browser.run("document.querySelector('[id=\"lifecycle.pods_replaced_one_by_one\"] .case > summary').focus()")
    browser.driver.switch_to.active_element.send_keys("\n")
    plot = browser.driver.find_element("css selector", "[id='lifecycle.pods_replaced_one_by_one'] .case[open] .tl-plot")
    assert plot.is_displayed()
    assert plot.size["width"] > 300
    words = browser.driver.find_element("css selector", "[id='lifecycle.pods_replaced_one_by_one'] .events").text
    assert re.search(r"delete web-…\w{5} \(took", words)


def test_a_link_to_a_broken_promise_shows_its_failing_path(runs: dict[str, Path], browser: Browser) -> None:
    browser.open(runs["red"] / "report.html", fragment=f"#{BROKEN}")
    assert browser.run("return document.getElementById(arguments[0]).open", BROKEN)
    text = browser.driver.find_element("id", BROKEN).text
    assert "Expected" in text
    assert f"--requirement={BROKEN}" in text
    assert browser.run("return document.getElementById(arguments[0]).querySelector('.edge-failing') !== null", BROKEN)


def test_the_page_of_a_comparison_is_in_order(runs: dict[str, Path], browser: Browser) -> None:
    found = compare(load(runs["green"]), load(runs["red"]))
    assert BROKEN in [change.id for change in found.regressions]
    page = runs["red"] / "compare.html"
    replace(page, comparison(found))
    for width in WIDTHS:
        browser.open(page, width=width)
        assert browser.run("return document.documentElement.scrollWidth") <= width
        assert browser.faults() == []
        assert browser.errors() == []


@pytest.mark.parametrize("name", RUNS)
def test_junit_is_as_the_schemas_of_viewers_have_it(runs: dict[str, Path], name: str) -> None:
    schema = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))
    schema.validate(runs[name] / "junit.xml")
    found = load(runs[name])
    tests = re.search(r'<testsuites [^>]*tests="(\d+)"', (runs[name] / "junit.xml").read_text("utf-8"))
    assert tests
    assert int(tests[1]) == len(found.cases)


@pytest.mark.parametrize("name", RUNS)
def test_every_output_is_made_again_byte_for_byte(runs: dict[str, Path], name: str) -> None:
    found = load(runs[name])
    assert [output for output, make in OUTPUTS.items() if (runs[name] / output).read_bytes() != make(found)] == []
