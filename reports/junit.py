"""junit.xml, made from the record alone, so that it can be made again byte for byte."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

from fixtures.verdicts import Verdict
from reports.record import CaseFinished, Promise
from reports.results import Results

FILE = "junit.xml"

# XML 1.0, section 2.2: every other character must not occur in a document, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(results: Results) -> bytes:
    """The JUnit XML of a run: one testcase per case, its classname the chapter.

    fail is a failure, error an error; not observable and unsupported are skipped, with the reason.
    """
    cases = [(promise, results.cases[case]) for promise in results.promises for case in promise.cases]
    verdicts = [case.verdict for _, case in cases]
    counts = {
        "tests": len(cases),
        "failures": verdicts.count(Verdict.FAIL),
        "errors": verdicts.count(Verdict.ERROR),
        "skipped": verdicts.count(Verdict.NOT_OBSERVABLE) + verdicts.count(Verdict.UNSUPPORTED),
    }
    totals = {**{key: str(count) for key, count in counts.items()}, "time": f"{results.duration_s:.3f}"}
    root = ET.Element("testsuites", {"name": "conformance", **totals})
    stamp = results.run.at.isoformat(timespec="seconds")
    suite = ET.SubElement(root, "testsuite", {"name": "conformance", "timestamp": stamp, **totals})
    _properties(suite, {"run": results.run.run_id, "profile": results.run.profile, **_cluster(results)})
    for promise, case in cases:
        _testcase(suite, promise, case)
    if results.problems:
        lines = [f"{problem.what}: {problem.message}" for problem in results.problems]
        ET.SubElement(suite, "system-err").text = _text("\n".join(lines))
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def write(results: Results, folder: Path) -> Path:
    """Write junit.xml into `folder`, replacing an earlier one in one step; returns its path."""
    path = folder / FILE
    replace(path, document(results))
    return path


def replace(path: Path, content: bytes) -> None:
    """Put a file in place in one step: a reader sees the old or the new content, never a part."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)


def _testcase(suite: ET.Element, promise: Promise, case: CaseFinished) -> None:
    name = case.case.rpartition("::")[2] if "[" not in case.case else _test_name(case.case)
    attributes = {"classname": promise.chapter, "name": name, "time": f"{case.duration_s:.3f}"}
    element = ET.SubElement(suite, "testcase", {key: _text(value) for key, value in attributes.items()})
    _properties(element, {"requirement": promise.id, "promise": promise.promise, "worker": case.worker})
    if case.verdict is Verdict.PASS:
        return
    if case.verdict in (Verdict.FAIL, Verdict.ERROR):
        tag = "failure" if case.verdict is Verdict.FAIL else "error"
        child = ET.SubElement(element, tag, {"message": _text(case.first_line), "type": str(case.verdict)})
        child.text = _text("\n".join([f"promise: {promise.promise}", case.first_line, *case.details]))
        return
    ET.SubElement(element, "skipped", {"message": _text(f"{case.verdict}: {case.first_line}")})


def _test_name(case: str) -> str:
    function, _, params = case.partition("[")
    return f"{function.rpartition('::')[2]}[{params}"


def _cluster(results: Results) -> dict[str, str]:
    cluster = results.run.cluster or {}
    return {f"cluster.{key}": str(cluster[key]) for key in ("kind", "name", "kubernetes_version") if key in cluster}


def _properties(parent: ET.Element, values: dict[str, str]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
