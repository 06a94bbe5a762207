"""Secrets that are planted do not come out: in records, histories, evidence and logs of a cluster."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.clusters.fake import INFO
from fixtures.evidence import FILE_BYTES, Evidence, _attempt
from fixtures.history import History, Observation
from fixtures.redaction import INSTEAD, redact, redact_files
from fixtures.verdicts import Verdict
from tests.unit import records
from tests.unit.frame import HEAD, Frame

pytest_plugins = ["pytester"]

BODY = base64.b64encode(bytes(range(200))).decode()
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
SECRETS = {
    "a private key": (PEM, BODY[:40]),
    "another kind of key": (PEM.replace("RSA ", "EC "), BODY[:40]),
    "a key in a kubeconfig": (f"client-key-data: {base64.b64encode(PEM.encode()).decode()}", "LS0tLS1CRUdJTi"),
    "a key in base64 alone": (base64.b64encode(PEM.encode()).decode(), base64.b64encode(PEM.encode()).decode()[60:120]),
    "a key of PKCS 8 in base64": (
        base64.b64encode(PEM.replace("RSA ", "").encode()).decode(),
        base64.b64encode(PEM.replace("RSA ", "").encode()).decode()[60:120],
    ),
    "a token": (f"token: {JWT}", JWT[:30]),
    "a header": ("Authorization: Bearer abcdefghijklmnop", "abcdefghijklmnop"),
    "an opaque token": ("token: 0123456789abcdefghij0123", "0123456789abcdefghij0123"),
    "a password": ('{"password":"hunter2-hunter2"}', "hunter2"),
    "a client secret": ("AZURE_CLIENT_SECRET=s3cr3t~value", "s3cr3t~value"),
    "a connection string": (
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0LXNlY3JldA==;EndpointSuffix=x",
        "c2VjcmV0",
    ),
    "a bus": ("Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=QUJDREVGR0g=", "QUJDREVGR0g"),
    "a signed address": ("https://x.blob.core.windows.net/c?sv=1&sig=AbCdEfGh%2Fxyz1&se=2", "AbCdEfGh"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_taken_out_and_json_stays_json(name: str) -> None:
    text, secret = SECRETS[name]
    assert secret not in redact(text)
    inside = redact(json.dumps({"before": 1, "text": text, "after": 2}))
    assert secret not in inside
    found = json.loads(inside)
    assert (found["before"], found["after"]) == (1, 2)
    assert INSTEAD in found["text"]
    assert redact(inside) == inside


@pytest.mark.parametrize(
    "text",
    [
        '{"pod":"web-1","token":"web-0a1b2c3d"}',
        '{"token_file":"/root/.cache/k8s-service-conformance/clusters/x/arm/token"}',
        "the token of the workload, key and secret by name alone",
        '"password":null',
        "basic conformance",
        "certificate-authority-data: " + base64.b64encode(b"-----BEGIN CERTIFICATE-----\nabc").decode(),
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


class Vanishing(dict[str, str]):
    """An environment of which another thread takes a variable away while it is read."""

    def __iter__(self) -> Iterator[str]:
        """It was there a moment ago."""
        return iter([*self.keys(), "LOST_TOKEN"])


def test_a_variable_that_goes_meanwhile_disturbs_nobody() -> None:
    environment = Vanishing({"MY_API_TOKEN": "opaque-value-1"})
    assert redact("opaque-value-1 is read", environment) == f"{INSTEAD} is read"


def test_values_of_the_environment_with_telling_names_are_secrets() -> None:
    environment = {"MY_API_TOKEN": "opaque-value-1", "HOME": "/root-of-mine", "SHORT_SECRET": "abc"}
    assert redact("opaque-value-1 /root-of-mine abc", environment) == f"{INSTEAD} /root-of-mine abc"


def test_a_record_and_a_history_hold_no_secret(tmp_path: Path) -> None:
    planted = " ".join(text for text, _ in SECRETS.values())
    events = records.whole_run(Verdict.PASS)
    case = events[2].model_copy(update={"first_line": planted, "details": (planted,)})
    records.write(tmp_path, [records.started(argv=(planted,)), events[1], case])
    history = History(tmp_path / "history" / "x.jsonl")
    body: dict[str, Any] = {"data": {"x": planted}}
    history.add(Observation(change="READ", resource="secrets", name="x", namespace="n", body=body))
    with history.action(planted):
        pass
    history.close()
    written = "".join(path.read_text("utf-8") for path in tmp_path.rglob("*.jsonl"))
    assert [name for name, (_, secret) in SECRETS.items() if secret in written] == []
    assert written.count(INSTEAD) > len(SECRETS)


def test_logs_and_evidence_hold_no_secret_and_are_bounded(tmp_path: Path) -> None:
    planted = "\n".join(text for text, _ in SECRETS.values())
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "apiserver.log").write_text(planted, "utf-8")
    redact_files(tmp_path)
    _attempt(tmp_path / "pod.log", lambda: planted + "x" * FILE_BYTES + "the end")
    written = "".join(path.read_text("utf-8") for path in tmp_path.rglob("*.log"))
    assert [name for name, (_, secret) in SECRETS.items() if secret in written] == []
    assert (tmp_path / "pod.log").stat().st_size < FILE_BYTES + 100
    assert (tmp_path / "pod.log").read_text("utf-8").endswith("the end")


def test_what_cannot_be_had_is_said(tmp_path: Path) -> None:
    def fails() -> str:
        raise KeyError("items")

    _attempt(tmp_path / "x", fails)
    assert (tmp_path / "x").read_text("utf-8") == "not to be had: 'items'"
    evidence = Evidence(INFO, "run-1", tmp_path)
    assert evidence.keep("a") == "evidence/a"
    assert "the API server gave nothing" in (tmp_path / "evidence" / "a" / "api.txt").read_text("utf-8")


def test_a_failure_has_evidence_and_no_output_of_a_run_holds_a_secret(frame: Frame) -> None:
    frame.write(
        "conformance/test_all.py",
        HEAD
        + f"""
@requirement("dns.tells", promise="P.", source="seed", level=MUST)
def test_tells(cluster):
    raise BrokenPromise(expected="x", observed={JWT!r}, vantage="v", details=({PEM!r},))
""",
    )
    frame.run()
    (case,) = frame.results().cases.values()
    assert case.evidence == "evidence/test_all.py-test_tells"
    assert (frame.report / case.evidence / "api.txt").is_file()
    for path in frame.report.rglob("*"):
        text = path.read_text("utf-8") if path.is_file() else ""
        assert JWT[:30] not in text, path
        assert BODY[:40] not in text, path
