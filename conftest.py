"""Options and hooks; what they do is in fixtures/ and reports/."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from fixtures import budgets, catalogue, configuration, profiles, scheduling, sharding
from fixtures import cases as found
from fixtures import options as suite
from fixtures import session as run
from fixtures.clusters import ClusterInfo, flags, images
from fixtures.errors import SuiteError, UsageError
from fixtures.history import file_name
from fixtures.interrupts import sigterm_as_interrupt, uninterrupted
from fixtures.load.needs import must_have_locust
from fixtures.noted import Noted, noting
from reports import live, markdown, results, summary
from reports.run import Plan, RunReport, failed_in

OPTIONS_KEY = pytest.StashKey[suite.Options]()
COLLECTED_KEY = pytest.StashKey[list[found.Case]]()
OWNER_KEY = pytest.StashKey[run.ClusterOwner]()
REPORT_KEY = pytest.StashKey[RunReport]()
RESULTS_KEY = pytest.StashKey[results.Results]()
SESSION_KEY = pytest.StashKey[pytest.Session]()
NOTED_KEY = pytest.StashKey[Noted]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Define the suite's options."""
    suite.add_options(parser)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """With --list-requirements, --list-images or --explain: print it, which needs no cluster, and stop."""
    if not any(map(config.getoption, ("list_requirements", "list_images", "explain"))):
        return None
    with _usage_errors():
        options = _options(config)
        if config.getoption("list_images"):
            print(images.listing(options.cluster, options.cluster_flags))
            return 0
        if config.getoption("explain"):
            from fixtures import explaining  # noqa: PLC0415 - what it stands on takes time, for those who ask

            print(explaining.explained(config, options, _failed_before(config, options)))
            return 0
        cases = catalogue.collect(config.rootpath)
        folder = config.rootpath / profiles.FOLDER
        taken = suite.select(cases, options, folder, _failed_before(config, options))
        print(catalogue.listing(taken, profiles.promises_by_profile(folder, cases)))
    return 0


def pytest_configure(config: pytest.Config) -> None:
    """Check the options before anything is made; in a worker, hear what the controller tells."""
    config.addinivalue_line("markers", "requirement(requirement): the promise that a conformance test checks")
    for marker in scheduling.MARKERS:
        config.addinivalue_line("markers", marker)
    config.add_cleanup(sigterm_as_interrupt())
    if run.is_worker(config):
        configuration.hear_controller(config)
        config.stash[OPTIONS_KEY] = suite.read_options(config)
        run.hear_controller(config)
        return
    with _usage_errors():
        config.stash[OPTIONS_KEY] = _options(config)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Keep the session for the hooks that are not given it."""
    session.config.stash[SESSION_KEY] = session


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """Keep the cases that the options ask for; when pytest has done its part, put them in order."""
    options = config.stash[OPTIONS_KEY]
    with _usage_errors():
        cases = found.cases_of(items)
        whole = config.pluginmanager.hasplugin(catalogue.COLLECTOR)
        taken = {case.id for case in (cases if whole else _select(config, cases))}
    config.stash[COLLECTED_KEY] = cases
    if cases:
        kept = [i for i in items if (i.nodeid in taken if found.is_conformance(i) else not options.narrowed)]
        with _usage_errors():
            kept = sharding.part_of(kept, options.shard)
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
    yield
    scheduling.prepare(config, items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """With workers: collect, check and open the cluster before the first worker starts."""
    # The controller of pytest-xdist collects nothing by itself; to know what is asked for before
    # anything is made, and to know afterwards what was not reported, it has to.
    if not found.may_collect(config):
        return
    controller = config.stash[SESSION_KEY]
    controller.perform_collect()
    if controller.testsfailed and not config.getoption("continue_on_collection_errors"):
        raise controller.Interrupted(f"{controller.testsfailed} error(s) during collection")
    _start(controller)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - pytest-xdist has no types
    """Tell a worker of the options and the cluster."""
    told = (each.tell_workers(node.config) for each in (configuration, run, scheduling))
    node.workerinput.update({key: value for each in told for key, value in each.items()})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> scheduling.Scheduling | None:
    """Unless another way of distribution was asked for, keep scenarios together and the order as it is."""
    return scheduling.Scheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Without workers: open the cluster when everything is collected."""
    if not session.testsfailed or session.config.getoption("continue_on_collection_errors"):
        _start(session)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for the test's turn on the cluster, before its time is measured or limited."""
    if not found.is_conformance(item):
        return (yield)
    alone = scheduling.is_disruptive(item)
    with item.config.stash[run.TURNS_KEY].turn(alone=alone), noting() as noted:
        random.seed(f"{item.config.stash[OPTIONS_KEY].seed} {item.nodeid}")
        item.stash[NOTED_KEY] = noted
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Decide before the test runs what the cluster does not offer."""
    if found.is_conformance(item):
        requirement = found.case_of(item).requirement
        run.must_be_offered(requirement, item.config.stash[run.CLUSTER_INFO_KEY])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the verdict on the report of each phase."""
    report = yield
    if found.is_conformance(item):
        noted = item.stash[NOTED_KEY]
        live.put_verdict(report, call.excinfo.value if call.excinfo else None, noted)
        if report.failed and noted.evidence is None:
            noted.evidence = run.evidence(item.config).keep(next(iter(noted.histories), file_name(item.nodeid))[:-6])
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count our verdicts; our own lines replace the dots."""
    return live.status(report)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Close the cluster once the workers are gone, and before the summary is printed."""
    try:
        return (yield)
    except SuiteError as error:
        if REPORT_KEY not in session.config.stash:
            raise
        session.config.stash[REPORT_KEY].problem("cleanup", str(error))
    finally:
        _finish(session)


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Print the summary by chapter."""
    if RESULTS_KEY in config.stash:
        live.Terminal(config).summary(summary.summary(config.stash[RESULTS_KEY]))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the cluster even when the session never started fully."""
    # pytest leaves pytest_sessionfinish out when the start of the session was interrupted.
    if SESSION_KEY in config.stash:
        _finish(config.stash[SESSION_KEY])


def _options(config: pytest.Config) -> suite.Options:
    """The options from wherever they come, checked as far as they can be before the tests are known."""
    configuration.apply(config)
    with configuration.origins_named(config):
        options = suite.read_options(config)
        suite.check_options(options, config.invocation_params.dir)
    return options


def _select(config: pytest.Config, cases: list[found.Case]) -> list[found.Case]:
    options = config.stash[OPTIONS_KEY]
    folder = config.rootpath / profiles.FOLDER
    return suite.select(cases, options, folder, _failed_before(config, options)) if cases else []


def _failed_before(config: pytest.Config, options: suite.Options) -> frozenset[str]:
    return failed_in(config.invocation_params.dir, options.rerun_failed) if options.rerun_failed else frozenset()


def _start(own: pytest.Session) -> None:
    """Open the cluster and the record when there are conformance tests to run and it is not done yet."""
    config, terminal = own.config, live.Terminal(own.config)
    chosen = found.cases_of(own.items)
    if not chosen or run.is_worker(config) or OWNER_KEY in config.stash or config.getoption("collectonly"):
        return
    with _usage_errors():
        options = config.stash[OPTIONS_KEY]
        flags.check_processes(options.cluster_flags, config.getoption("numprocesses", None) or 1)
        must_have_locust(chosen, options.cluster, options.load_from)
        plan = _plan(config, chosen)
    if len(chosen) == len(own.items):
        terminal.show_cases_only()

    def begin_log(info: ClusterInfo | None) -> RunReport:
        config.stash[REPORT_KEY] = report = RunReport(
            plan, *(run.described(info) if info else (None,)), say=lambda text: terminal.line(text, "red")
        )
        config.pluginmanager.register(live.CaseLines(report, terminal, config))
        return report

    config.stash[OWNER_KEY] = owner = run.ClusterOwner(config.stash[OPTIONS_KEY], terminal.line)
    try:
        with _usage_errors():
            info = owner.open(begin_log)
    except SuiteError as error:
        terminal.line(f"error: the cluster could not be set up: {error}", "red")
        terminal.line(f"report: {plan.shown_folder}")
        pytest.exit("no test was run", returncode=pytest.ExitCode.INTERNAL_ERROR)
    terminal.watch(config.stash[REPORT_KEY])
    run.share(config, info, plan.folder, plan.run_id, budgets.values(plan.budgets))


def _plan(config: pytest.Config, chosen: list[found.Case]) -> Plan:
    options = config.stash[OPTIONS_KEY]
    profile = profiles.load(config.rootpath / profiles.FOLDER, options.profile)
    return Plan(
        run_id=run.new_run_id(),
        start=config.invocation_params.dir,
        report_dir=options.report_dir,
        argv=tuple(str(argument) for argument in config.invocation_params.args),
        seed=int(options.seed),
        profile=options.profile,
        cases=tuple(chosen),
        found=frozenset(case.requirement.id for case in config.stash[COLLECTED_KEY]),
        whole_profile=_whole_profile(config, profile),
        budgets=budgets.chosen(config.rootpath / budgets.FILE, profile.name, profile.budgets),
    )


def _whole_profile(config: pytest.Config, profile: profiles.Profile) -> frozenset[str]:
    """The ids of all cases of a profile; of a user's own, those of the tests that were collected."""
    if not profiles.is_file(profile.name):
        return profiles.resolved_ids(config.rootpath / profiles.FOLDER, profile.name)
    if not found.collects_all(config):
        raise UsageError(f"--profile {profile.name}: allowed is the folder conformance as a whole, not a part of it")
    collected = config.stash[COLLECTED_KEY]
    return frozenset(case.id for case in profiles.resolve(profile, collected))


def _finish(own: pytest.Session) -> None:
    """Close the cluster, once, and end the record; a run that is not sound exits with 1 at least."""
    config = own.config
    if OWNER_KEY not in config.stash or RESULTS_KEY in config.stash:
        return
    live.Terminal(config).unwatch()
    config.stash[OWNER_KEY].close()
    if REPORT_KEY not in config.stash:
        return
    with uninterrupted():
        total, lost = config.stash[REPORT_KEY].finish(interrupted=own.exitstatus == pytest.ExitCode.INTERRUPTED)
    config.stash[RESULTS_KEY] = total
    if file := config.stash[OPTIONS_KEY].job_summary:
        lost += markdown.append(total, config.invocation_params.dir / file)
    for line in lost:
        live.Terminal(config).line(f"error: {line}", "red")
    if own.exitstatus == pytest.ExitCode.OK and (lost or not total.sound):
        own.exitstatus = pytest.ExitCode.TESTS_FAILED


@contextlib.contextmanager
def _usage_errors() -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        # pytest prints a line for each argument.
        raise pytest.UsageError(*str(error).splitlines()) from error
