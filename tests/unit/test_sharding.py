"""Parts of a run: each case is in one of them, what belongs together stays together, and merged they are the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.verdicts import Verdict
from reports.__main__ import main
from reports.record import RunStarted, read
from reports.results import load
from tests.unit import made_runs
from tests.unit.frame import HEAD, Frame
from tests.unit.test_frame_options import must_be_refused
from tests.unit.test_frame_scheduling import case

pytest_plugins = ["pytester"]


def run_part(frame: Frame, shard: str, *arguments: str) -> Path:
    """Run one part; gives its report folder."""
    frame.report = frame.path / f"part-{shard.replace('/', '-of-')}"
    frame.run(f"--shard={shard}", "--seed=7", *arguments)
    return frame.report


@pytest.mark.parametrize("count", [2, 3])
def test_merged_parts_are_the_whole(frame: Frame, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    frame.run("--seed=7")
    whole = load(frame.report)
    parts = [run_part(frame, f"{number}/{count}") for number in range(1, count + 1)]
    assert main(["merge", *map(str, reversed(parts)), "--into", str(frame.path / "merged")]) == 0
    merged = load(frame.path / "merged")
    assert {case: finished.verdict for case, finished in merged.cases.items()} == {
        case: finished.verdict for case, finished in whole.cases.items()
    }
    assert {p.id: set(p.cases) for p in merged.promises} == {p.id: set(p.cases) for p in whole.promises}
    assert (merged.profile_verdict, merged.left_out, merged.state) == (whole.profile_verdict, (), "finished")
    assert (merged.run.seed, [word for word in merged.run.argv if "shard" in word]) == (7, [])
    assert (frame.path / "merged" / "report.html").is_file()
    assert "cluster_ip" in capsys.readouterr().out


def test_without_one_part_the_profile_is_not_judged(frame: Frame) -> None:
    frame.write("conformance/test_all.py", HEAD + case("a") + case("b") + case("c"))
    for name in ("full", "core"):
        frame.write(
            f"conformance/profiles/resolved/{name}.txt", "".join(f"conformance/test_all.py::test_{n}\n" for n in "abc")
        )
    parts = [run_part(frame, f"{number}/3") for number in (1, 2)]
    assert main(["merge", *map(str, parts), f"--into={frame.path / 'merged'}"]) == 0
    merged = load(frame.path / "merged")
    assert merged.profile_verdict.startswith("not judged (1 of its cases")


def test_what_belongs_together_is_in_one_part(frame: Frame) -> None:
    together = "".join(case(name, 'scenario("rollout")') for name in ("played", "judged", "again"))
    frame.write("conformance/test_all.py", HEAD + together + case("one") + case("two") + case("three"))
    parts = [set(load(run_part(frame, f"{number}/2")).cases) for number in (1, 2)]
    assert parts[0].isdisjoint(parts[1])
    names = [{name.partition("::test_")[2] for name in part} for part in parts]
    assert {"played", "judged", "again"} in (names[0], names[1]), "three of six take as long as the other three"


def test_workers_run_the_same_part(frame: Frame) -> None:
    part = set(load(run_part(frame, "1/2")).cases)
    frame.report = frame.path / "workers"
    frame.run_apart("-n2", "--shard=1/2")
    assert set(load(frame.report).cases) == part
    assert load(frame.report).state == "finished"


@pytest.mark.parametrize("value", ["", "1", "0/2", "3/2", "a/b", "1/2/3", "-1/2"])
def test_a_shard_that_cannot_be_is_refused(frame: Frame, value: str) -> None:
    must_be_refused(frame, frame.run(f"--shard={value}"), "--shard", f"{value!r}", "I-th of N parts")


def test_more_parts_than_tests_are_refused(frame: Frame) -> None:
    must_be_refused(frame, frame.run("--shard=1/9"), "--shard", "1/9", "can be parted in 5 at most")


def test_files_of_the_same_name_are_kept_apart(tmp_path: Path) -> None:
    first = made_runs.run(tmp_path / "first", Verdict.PASS)
    other = made_runs.run(tmp_path / "other", Verdict.FAIL)
    text = (other / "run.jsonl").read_text("utf-8")
    (other / "run.jsonl").write_text(text.replace("ClusterIP-new-0", "ClusterIP-new-1"), "utf-8")
    into = tmp_path / "merged"
    assert main(["merge", str(first), str(other), "--into", str(into)]) == 0
    assert sorted(file.name for file in (into / "history").iterdir()) == ["part-2-scenario-0.jsonl", "scenario-0.jsonl"]
    merged = load(into)
    named = {case.verdict: case.histories for case in merged.cases.values()}
    assert named == {Verdict.PASS: ("scenario-0.jsonl",), Verdict.FAIL: ("part-2-scenario-0.jsonl",)}
    assert main(["validate", str(into / "conformance.yaml")]) == 0


def test_what_is_not_of_one_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = made_runs.run(tmp_path / "first", Verdict.PASS)
    other = made_runs.run(tmp_path / "other", Verdict.PASS, profile="smoke")
    into = f"--into={tmp_path / 'merged'}"
    for arguments, part in (
        ([first], "allowed is two or more"),
        ([first, other], "profile: "),
        ([first, first], "allowed is it in one"),
        ([first, tmp_path / "none"], "no record of a run"),
    ):
        assert main(["merge", *map(str, arguments), into]) == 4
        error = capsys.readouterr().err
        assert part in error
        assert error.count("\n") == 1
        assert not (tmp_path / "merged").exists()
    assert main(["merge", str(first), str(other), f"--into={first}"]) == 4
    assert "already holds the record" in capsys.readouterr().err
    assert isinstance(read(first)[0], RunStarted)
