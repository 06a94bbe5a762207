"""Lines of a prober: decoded row by row, refused when they are not whole or not of this version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.errors import SuiteError
from fixtures.probes import COLUMNS, PLAN_VERSION, Answer, Decoder, DNSAnswer, Probe, ProbeBatch, parse_line
from tests.unit.made_probes import PROVEN, answer, batch, good, probe

HEADER = {"plan_version": PLAN_VERSION, "started_at": 1763800000.1, "targets": ["t", "u"]}


def lines_of(probes: list[Probe]) -> list[Any]:
    """A run as the agent gives it: answers are told once."""
    targets = list(dict.fromkeys(probe.target for probe in probes))
    lines: list[Any] = [HEADER | {"targets": targets}]
    told: dict[Answer | DNSAnswer, int] = {}
    for one in probes:
        said = one.answer or one.dns
        if said and said not in told:
            told[said] = len(told)
            lines.append({"answer": told[said], "is": said._asdict()})
        values = {name: getattr(one, name) for name in COLUMNS}
        values |= {"target": targets.index(one.target), "answer": told[said] if said else None}
        lines.append([values[name] for name in COLUMNS])
    return [*lines, {"probes": len(probes), "lateness_p99_ms": 0.5}]


def decoded(lines: list[Any]) -> Decoder:
    """What a decoder makes of lines that travelled as text."""
    decoder = Decoder("outside")
    for line in lines:
        decoder.feed(parse_line(json.dumps(line), "outside"))
    return decoder


SECONDS = st.floats(0, 1000)
PROBES = st.builds(
    Probe,
    index=st.integers(0, 10**6),
    target=st.sampled_from(["t", "u", "http 10.0.0.1 80"]),
    scheduled_s=SECONDS,
    started_s=SECONDS,
    sent_s=st.none() | SECONDS,
    connected_s=st.none() | SECONDS,
    first_byte_s=st.none() | SECONDS,
    done_s=SECONDS,
    outcome=st.sampled_from(["ok", "refused", "reset", "closed", "timeout", "unreachable", "name_error"]),
    connection=st.integers(0, 99),
    request=st.integers(1, 99),
    address=st.none() | st.just("10.0.0.1"),
    local_port=st.none() | st.integers(1, 65535),
    answer=st.none() | st.builds(answer, st.text(max_size=5)),
    peer=st.text(max_size=5),
    detail=st.text(max_size=5),
)
QUERIES = st.builds(
    lambda one, answers, ttl_s: Probe(
        **{name: getattr(one, name) for name in COLUMNS} | {"answer": None},
        dns=DNSAnswer("n.", "NOERROR", tuple(answers), ttl_s),
    ),
    PROBES,
    st.lists(st.just("10.0.0.1"), max_size=2),
    st.none() | st.integers(0, 99),
)


@PROVEN
@given(st.lists(PROBES | QUERIES, max_size=5))
def test_what_the_agent_says_is_what_is_decoded(probes: list[Probe]) -> None:
    decoder = decoded(lines_of(probes))
    decoder.must_be_whole()
    assert decoder.probes == probes
    assert (decoder.started_at, decoder.lateness_p99_ms) == (1763800000.1, 0.5)


WHOLE = lines_of(good(3))


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([HEADER | {"plan_version": 1}], f"plan version 1; {PLAN_VERSION} is allowed"),
        ([{"plan_version": PLAN_VERSION}], "does not parse"),
        ([HEADER, [1, 2]], "does not parse"),
        ([HEADER, [*WHOLE[2][:8], "fine", *WHOLE[2][9:]]], "does not parse"),
        ([HEADER, [0, 9, *WHOLE[2][2:]]], "does not parse"),
        ([WHOLE[0], WHOLE[2]], "does not parse"),
        ([HEADER, {"answer": 0, "is": {"pod": "web-a"}}], "does not parse"),
        ([HEADER, "text"], "does not parse"),
        ([HEADER, {"probes": 1, "lateness_p99_ms": 0}], "0 of 1 records arrived"),
        ([{"error": "targets.0.port: 0, allowed is 1 to 65535"}], "prober outside: targets.0.port: 0, allowed"),
        ([{"odd": 1}], "an unknown line {'odd': 1}"),
    ],
)
def test_what_is_no_such_line_is_refused(lines: list[Any], says: str) -> None:
    with pytest.raises(SuiteError, match="outside") as refused:
        decoded(lines)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_run_that_was_cut_off_is_not_whole() -> None:
    with pytest.raises(SuiteError, match="no header"):
        decoded([]).must_be_whole()
    with pytest.raises(SuiteError, match="ended after 3 records, without a trailer"):
        decoded(WHOLE[:-1]).must_be_whole()
    with pytest.raises(SuiteError, match="cut off or not JSON: \\[0, 0"):
        parse_line(b"[0, 0, 1.", "outside")


def test_parts_of_a_batch() -> None:
    probes = [probe(at_s=n / 2, target="tu"[n % 2]) for n in range(6)]
    whole: ProbeBatch = batch(probes)
    assert whole.targets == ("t", "u")
    assert whole.of("u").probes == (probes[1], probes[3], probes[5])
    assert whole.between(1000.5, 1001.5).probes == (probes[1], probes[2])
    assert [one.ok for one in (probe("ok"), probe("closed"))] == [True, False]
