"""junit.xml, made from the record alone, so that it can be made again byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from fixtures.verdicts import Verdict
from reports.record import CaseFinished, Promise
from reports.results import Results

FILE = "junit.xml"

# XML 1.0, section 2.2: every other character must not occur in a document, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(results: Results) -> bytes:
    """The JUnit XML of a run: a testsuite per chapter, one testcase per case.

    fail is a failure, error an error; not observable and unsupported are skipped, with the reason. Only what the
    schemas of Jenkins (xUnit plugin), Maven Surefire and what GitLab and GitHub's viewers read have in common:
    properties belong to suites, those of a case stand in its output, in the form `[[PROPERTY|name=value]]`.
    """
    chapters: dict[str, list[tuple[Promise, CaseFinished]]] = {}
    for promise in results.promises:
        chapters.setdefault(promise.chapter, []).extend((promise, results.cases[case]) for case in promise.cases)
    counts = _counts(results.cases.values())
    del counts["skipped"]  # The schemas know it of a testsuite only.
    root = ET.Element("testsuites", {"name": "conformance", **counts, "time": f"{results.duration_s:.3f}"})
    about = {"run": results.run.run_id, "profile": results.run.profile, **_suite(results), **_cluster(results)}
    for chapter, cases in chapters.items():
        time_s = sum(case.duration_s for _, case in cases)
        stamp = results.run.at.strftime("%Y-%m-%dT%H:%M:%S")
        totals = {**_counts(case for _, case in cases), "time": f"{time_s:.3f}", "timestamp": stamp}
        suite = ET.SubElement(root, "testsuite", {"name": chapter, **totals})
        _properties(suite, about)
        for promise, case in cases:
            _testcase(suite, promise, case)
        if results.problems and chapter == next(iter(chapters)):
            lines = [f"{problem.what}: {problem.message}" for problem in results.problems]
            ET.SubElement(suite, "system-err").text = _text("\n".join(lines))
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def not_begun(why: str, output: str) -> bytes:
    """The JUnit XML of a run that left no report: one error, with what it printed."""
    counts = {"tests": "1", "failures": "0", "errors": "1"}
    root = ET.Element("testsuites", {"name": "conformance", **counts, "time": "0.000"})
    suite = ET.SubElement(root, "testsuite", {"name": "suite", **counts, "skipped": "0", "time": "0.000"})
    case = ET.SubElement(suite, "testcase", {"classname": "suite", "name": "begins", "time": "0.000"})
    words = {"message": f"the suite left no report: {why}", "type": "error"}
    ET.SubElement(case, "error", words).text = _text(output)
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _counts(cases: Iterable[CaseFinished]) -> dict[str, str]:
    verdicts = [case.verdict for case in cases]
    counts = {
        "tests": len(verdicts),
        "failures": verdicts.count(Verdict.FAIL),
        "errors": verdicts.count(Verdict.ERROR),
        "skipped": verdicts.count(Verdict.NOT_OBSERVABLE) + verdicts.count(Verdict.UNSUPPORTED),
    }
    return {name: str(count) for name, count in counts.items()}


def _testcase(suite: ET.Element, promise: Promise, case: CaseFinished) -> None:
    name = case.case.rpartition("::")[2] if "[" not in case.case else _test_name(case.case)
    attributes = {"classname": promise.chapter, "name": name, "time": f"{case.duration_s:.3f}"}
    element = ET.SubElement(suite, "testcase", {key: _text(value) for key, value in attributes.items()})
    if case.verdict in (Verdict.FAIL, Verdict.ERROR):
        tag = "failure" if case.verdict is Verdict.FAIL else "error"
        child = ET.SubElement(element, tag, {"message": _text(case.first_line), "type": str(case.verdict)})
        child.text = _text("\n".join([f"promise: {promise.promise}", case.first_line, *case.details]))
    elif case.verdict is not Verdict.PASS:
        ET.SubElement(element, "skipped", {"message": _text(f"{case.verdict}: {case.first_line}")})
    about = {
        "requirement": promise.id,
        "level": str(promise.level),
        "source": promise.source,
        "worker": case.worker,
        **{f"param.{name}": value for name, value in case.params.items()},
    }
    lines = [promise.promise, *(f"[[PROPERTY|{name}={value}]]" for name, value in about.items())]
    lines += [f"{finding.check}: {finding.verdict}: {finding.sentence}" for finding in case.findings]
    ET.SubElement(element, "system-out").text = _text("\n".join(lines))


def _test_name(case: str) -> str:
    function, _, params = case.partition("[")
    return f"{function.rpartition('::')[2]}[{params}"


def _suite(results: Results) -> dict[str, str]:
    run = results.run
    known = {"suite.version": run.suite_version, "suite.commit": run.suite_commit, "seed": run.seed}
    return {name: str(value) for name, value in known.items() if value is not None}


def _cluster(results: Results) -> dict[str, str]:
    cluster = results.run.cluster or {}
    return {f"cluster.{key}": str(cluster[key]) for key in ("kind", "name", "kubernetes_version") if key in cluster}


def _properties(parent: ET.Element, values: dict[str, str]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
