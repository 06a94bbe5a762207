"""The project that tests of the frame run in."""

from __future__ import annotations

import sys

import pytest
from hypothesis import HealthCheck, settings

from fixtures.clusters import registry
from tests.unit.frame import ROOT, Frame

# How long an example takes on a busy machine says nothing of what is tested.
settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


@pytest.fixture
def frame(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Frame:
    """A project with the real root conftest.py, a fake cluster and a few conformance tests."""
    # Its modules have the names of the real ones, and it patches the registry in this process.
    for name in [name for name in sys.modules if name == "conftest" or name.partition(".")[0] == "conformance"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(registry.OPENERS, "local", registry.OPENERS["local"])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return Frame(pytester)
