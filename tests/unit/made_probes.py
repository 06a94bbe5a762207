"""Probes that tests make up, and a path with an outage of known length to take them from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings

from fixtures.probes import Answer, DNSAnswer, Outcome, Probe, ProbeBatch

settings.register_profile(
    "checks", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
PROVEN = settings(settings.get_profile("checks"), max_examples=200)
"""The same examples in each run, so that a finding can be looked at again."""

TOKEN, OTHER_TOKEN = "t", "other"
PODS = ("web-a", "web-b", "web-c")
CONNECT_TIMEOUT_S, TIMEOUT_S = 0.95, 3.0
SENT_AGAIN_S = (0.0, 0.2, 0.6, 1.4, 3.0)
"""After its first sending Linux sends what is lost on a connection again at about these times."""


def answer(pod: str, token: str = TOKEN, port: int = 80) -> Answer:
    """What a backend says."""
    return Answer(pod=pod, node="n", ips=("10.0.0.1",), token=token, version="v1", protocol="tcp", port=port)


def probe(outcome: Outcome = "ok", who: Answer | str | None = None, at_s: float = 0.0, **fields: Any) -> Probe:  # noqa: ANN401
    """One probe of a new connection that took 10 ms."""
    said = answer(who) if isinstance(who, str) else who
    times = {"scheduled_s": at_s, "started_s": at_s, "sent_s": at_s, "connected_s": None, "first_byte_s": None}
    values: dict[str, Any] = (
        {"index": 0, "target": "x", "done_s": at_s + 0.01, "connection": 1, "request": 1} | times | fields
    )
    return Probe(outcome=outcome, answer=said, **values)


def batch(
    probes: Sequence[Probe],
    vantage: str = "pod on n1",
    *,
    late_ms: float = 0.0,
    error_s: float = 0.0,
    at: float = 1000.0,
) -> ProbeBatch:
    """The probes of one vantage; second 0 is the wall clock 1000."""
    return ProbeBatch(vantage, at, error_s, late_ms, tuple(probes))


def good(count: int = 54, every_s: float = 0.05) -> list[Probe]:
    """Answers of every pod in turn."""
    return [probe("ok", PODS[i % 3], i * every_s) for i in range(count)]


def spaced(pattern: str, every_s: float = 0.1, **fields: Any) -> list[Probe]:  # noqa: ANN401
    """A flow: `.` an answer, `x` a connection that timed out, a blank a probe that was not sent."""
    times = [(kind, n * every_s) for n, kind in enumerate(pattern) if kind != " "]
    return [
        probe("ok", PODS[n % 3], at_s, **fields)
        if kind == "."
        else probe("timeout", None, at_s, done_s=at_s + CONNECT_TIMEOUT_S, **fields)
        for n, (kind, at_s) in enumerate(times)
    ]


def named(*answers: str, rcode: str = "NOERROR") -> Probe:
    """A query and its answer."""
    found = DNSAnswer(name="web.test.", rcode=rcode, answers=answers, ttl_s=5)
    return probe("ok" if rcode == "NOERROR" else "name_error", dns=found)


@dataclass(frozen=True)
class Path:
    """A way to a backend that loses packets; `broken(t, number)` says whether it loses those of a probe at a time."""

    broken: Callable[[float, int], bool]
    service_s: tuple[float, ...]
    """Used in turn: a backend is not always as fast."""
    refuses: bool = False
    send_s: float = 0.0002

    def probed(self, number: int, started_s: float, *, reused: bool = False) -> Probe:
        """What a probe meets: its SYN is sent once; what is lost on a connection is sent again."""
        sent_s = started_s + self.send_s
        fields: dict[str, Any] = {"index": number, "sent_s": sent_s, "request": 2 if reused else 1}
        if not reused and self.broken(started_s + self.send_s / 2, number):
            outcome: Outcome = "refused" if self.refuses else "timeout"
            done_s = sent_s if self.refuses else started_s + CONNECT_TIMEOUT_S
            return probe(outcome, None, started_s, **fields, done_s=done_s)
        fields["connected_s"] = None if reused else sent_s
        asked_s = self._through(sent_s, number)
        answered_s = (
            None if asked_s is None else self._through(asked_s + self.service_s[number % len(self.service_s)], number)
        )
        if answered_s is None or answered_s > started_s + TIMEOUT_S:
            return probe("timeout", None, started_s, **fields, done_s=started_s + TIMEOUT_S)
        return probe("ok", "web-a", started_s, **fields, done_s=answered_s)

    def _through(self, sent_s: float, number: int) -> float | None:
        """When a packet of a connection comes through."""
        return next((sent_s + d for d in SENT_AGAIN_S if not self.broken(sent_s + d, number)), None)
