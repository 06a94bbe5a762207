"""The way to a prober that is interrupted, clocks that differ, and waiting for quiet."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.api import Api, Refused
from fixtures.errors import SuiteError
from fixtures.history import History
from fixtures.prober import vantages
from fixtures.prober.clocks import SAME_CLOCK, Offset, RemoteClock, Sample, offset_of
from fixtures.prober.plan import Target
from fixtures.prober.probing import Probing
from fixtures.prober.runs import Run
from fixtures.prober.underway import Flow
from fixtures.prober.vantages import PodVantage
from tests.unit.made_probes import PROVEN, probe
from tests.unit.probing import HERE, backend, plan, target

ROW = [0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1, "ok", 1, 1, "10.0.0.1", 1, None, "", ""]


def lines(count: int, targets: int = 1) -> list[bytes]:
    """What an agent writes that has sent so many probes, one each second."""
    header = {"plan_version": 2, "started_at": 100.0, "targets": [f"t{n}" for n in range(targets)]}
    rows = [[n, n % targets, float(n), float(n), *ROW[3:]] for n in range(count)]
    return [json.dumps(x).encode() + b"\n" for x in (header, *rows, {"probes": count, "lateness_p99_ms": 0.1})]


class Response:
    """A response that gives some bytes and then breaks, or ends."""

    def __init__(self, data: bytes, parts: int = 3, broken: bool = False) -> None:
        self.data, self._parts, self._broken = data, parts, broken

    def stream(self, _: int) -> Iterator[bytes]:
        """The bytes, in pieces that end anywhere."""
        size = len(self.data) // self._parts + 1
        yield from (self.data[at : at + size] for at in range(0, len(self.data), size))
        if self._broken:
            raise OSError("connection reset")

    def close(self) -> None:
        """Nothing to close."""


class FlakyApi:
    """An API server that is away now and then; its pod has an agent that has written `text`."""

    def __init__(self, text: list[bytes], serves: int = 7) -> None:
        self.text, self.serves, self.seen = text, serves, list[str]()
        self.away = 0
        self.clock_s = 50.0

    def open(self, method: str, path: str, *, query: dict[str, str] | None = None, **_: Any) -> Response:  # noqa: ANN401
        """Every second request fails; a stream breaks after a few lines."""
        tail = path.partition("/proxy/")[2].partition("/")
        self.seen.append(f"{method} {tail[0]} {(query or {}).get('from', '')}".strip())
        self.away += 1
        if self.away % 2:
            raise SuiteError("API server: HTTP 503") if self.away % 4 == 1 else Refused(429, "TooManyRequests", "later")
        if method == "GET" and tail[0] == "clock":
            return Response(json.dumps({"now": time.time() - self.clock_s}).encode())
        if method == "GET":
            first = int((query or {})["from"])
            part = b"".join(self.text[first : first + self.serves])
            return Response(part if self.serves < 100 else part[:-9], broken=True)
        return Response(b"{}")


def pod_run(api: Any, monkeypatch: pytest.MonkeyPatch, history: History) -> Run:  # noqa: ANN401 - a fake
    """A run in a pod behind an API server that is tried again at once."""
    monkeypatch.setattr(vantages, "RETRY_S", 0.001)
    return PodVantage(api, "n", "p", "node-1", 8079).start(plan(target(1)), history)


def test_a_stream_is_taken_up_where_it_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    api, history = FlakyApi(lines(20)), History()
    batch = pod_run(api, monkeypatch, history).finish()
    assert [p.index for p in batch.probes] == list(range(20))
    assert [seen for seen in api.seen if "plans" in seen and "GET" in seen][1::2] == [
        "GET plans 0",
        "GET plans 7",
        "GET plans 14",
        "GET plans 21",
    ]
    assert abs(batch.started_at - 150.0) <= batch.clock_error_s + 1e-3, "on this process's clock"
    assert history.batches == (batch,)


def test_a_way_that_stays_interrupted_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vantages, "TRANSPORT_SLACK_S", 0.0)
    monkeypatch.setattr(vantages.PodPlan, "begin", lambda *_: None)
    api = FlakyApi(lines(20)[:5])
    with pytest.raises(SuiteError, match=r"pod on node-1: out of reach, 0 s after its plan"):
        pod_run(api, monkeypatch, History()).finish()


@pytest.mark.parametrize("read", ["whole", "in part"])
def test_an_agent_is_told_only_of_a_plan_that_is_given_up(monkeypatch: pytest.MonkeyPatch, read: str) -> None:
    monkeypatch.setattr(vantages, "RETRY_S", 0.001)
    api = FlakyApi(lines(3))
    transport = vantages.PodPlan(cast(Api, api), "pod on node-1", "/p/proxy", plan(target(1)))
    parts = transport.parts()
    assert (b"".join(parts) if read == "whole" else next(parts)).startswith(api.text[0])
    transport.close()
    assert [seen for seen in api.seen if "DELETE" in seen] == ([] if read == "whole" else ["DELETE plans"])


def test_a_refused_plan_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Refused(400, "BadRequest", "rate_per_s: found 0; allowed is ...")

    monkeypatch.setattr(FlakyApi, "open", refuse)
    with pytest.raises(SuiteError, match="prober pod on node-1: rate_per_s: found 0"):
        pod_run(FlakyApi([]), monkeypatch, History())


class Lines:
    """A transport that has everything at once."""

    def __init__(self, text: list[bytes]) -> None:
        self.text = text

    def parts(self) -> Iterator[bytes]:
        """All of it."""
        yield b"".join(self.text)

    def stop(self) -> None:
        """It has ended."""

    def close(self) -> None:
        """Nothing to close."""


def test_a_hundred_thousand_probes_are_decoded_and_recorded_in_parts() -> None:
    history = History()
    batch = Run("outside", Lines(lines(100_000)), SAME_CLOCK, history).finish()
    assert len(batch.probes) == 100_000
    assert len(history.lines) == 1 + 51
    assert max(len(line.event.lines) for line in history.lines if line.event.kind == "probe_lines") == 2000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (lines(3)[:-1], "ended after 3 records, without a trailer"),
        ([], "no header"),
        ([*lines(3)[:2], b"[1, 0"], "cut off or not JSON"),
        ([*lines(3)[:2], b'{"error": "no socket: Too many open files"}\n'], "no socket: Too many open files"),
        ([lines(1)[0].replace(b": 2", b": 1")], "a record of plan version 1; 2 is allowed"),
    ],
)
def test_an_output_that_is_not_whole_is_an_error_of_ours(text: list[bytes], says: str) -> None:
    history = History()
    with pytest.raises(SuiteError, match=says):
        Run("outside", Lines(text), SAME_CLOCK, history).finish()
    assert len(history.batches) == (1 if len(text) > 1 else 0), "what was seen before is kept"


@PROVEN
@given(
    st.floats(-1e3, 1e3),
    st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2), st.floats(0, 10)), min_size=1, max_size=8),
)
def test_the_true_offset_lies_within_the_bound(true_s: float, ways: list[tuple[float, float, float]]) -> None:
    samples = [Sample(at, at + there_s - true_s, at + there_s + back_s) for there_s, back_s, at in ways]
    found = offset_of(samples)
    assert abs(found.offset_s - true_s) <= found.error_s + 1e-9
    assert found.error_s <= min(there_s + back_s for there_s, back_s, _ in ways) / 2 + 1e-9


def test_clocks_that_agree_but_for_rounding_agree() -> None:
    found = offset_of([Sample(0.5, 0.2, 0.5), Sample(0.5 + 1e-12, 0.2, 0.5 + 1e-12)])
    assert found.error_s == 0
    assert found.offset_s == pytest.approx(0.3)


def test_a_clock_that_was_set_is_an_error_and_a_measurement_stays_fresh_for_a_while() -> None:
    with pytest.raises(SuiteError, match=r"contradict each other by 0\.800000 s"):
        offset_of([Sample(0.0, 0.0, 0.1), Sample(1.0, 2.0, 1.2)])
    with pytest.raises(SuiteError, match="no sample"):
        offset_of([])
    age, asked = [0.0], list[int]()
    clock = RemoteClock(now=lambda: 10.0, monotonic=lambda: age[0])

    def read() -> float:
        asked.append(1)
        return 7.0

    assert [clock.offset(read), clock.offset(read)] == [Offset(3.0, 0.0)] * 2
    assert len(asked) == 5
    age[0] = 61.0
    clock.offset(read)
    assert len(asked) == 10


def test_a_flow_is_quiet_only_up_to_what_is_known() -> None:
    flow = Flow(Target(name="x", address="127.0.0.1", protocol="http", port=80), 0, 1)
    for index in (0, 1, 3, 4):
        flow.add(probe(index=index), 10.0 + index)
    assert flow.quiet_s(since=0) == 1.0, "probe 2 may still fail"
    flow.add(probe("timeout", index=2), 12.0)
    assert flow.quiet_s(since=0) == 1.0
    assert flow.quiet_s(since=13.5) == 0.0
    flow.add(probe("refused", index=5), 15.0)
    assert flow.quiet_s(since=0) == 0.0


def test_probing_during_a_block_waits_until_all_is_quiet() -> None:
    history = History()
    with backend("--finish-s", "0") as (port, _, process):
        pairs = [(HERE, [target(port, name="a"), target(port, "http", name="b", connection="reused")])]
        with Probing(history).during(pairs, rate_per_s=100, longest_s=30, timeout_ms=300) as under_way:
            began = time.time()
            assert under_way.wait_until_quiet(since=began, quiet_s=0.2, timeout_s=10)
            assert time.time() - began >= 0.2
            process.terminate()
            process.wait(10)
            ended = time.time()
            assert not under_way.wait_until_quiet(since=ended, quiet_s=0.1, timeout_s=0.4)
            failing = under_way.failing(since=ended, quiet_s=0.1)
            assert [(one.target, one.vantage, one.newest) for one in sorted(failing)] == [
                ("a", "outside", "refused"),
                ("b", "outside", "refused"),
            ]
            assert 0 < failing[0].failed <= failing[0].ended
            assert "refused" in str(failing[0])
    (batch,) = under_way.batches
    assert {p.outcome for p in batch.probes} == {"ok", "refused"}
    assert history.batches == (batch,)


def test_what_the_block_says_comes_first() -> None:
    runs: list[Run] = []

    def fail() -> None:
        with Probing(History()).during([(HERE, [target(1)])], rate_per_s=50, longest_s=9) as under_way:
            runs.extend(under_way.runs)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [run.ended for run in runs] == [True]
