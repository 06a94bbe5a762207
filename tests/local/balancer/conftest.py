"""One site for all tests of the load balancer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.azure.plan import Plan
from fixtures.clusters.local.preflight import check_root
from tests.azure_plans import INTERNAL, MEMBERS, PUBLIC
from tests.local.balancer.site import HEALTH_PORT, MINUTE_S, OTHER_PORT, PORT, Site, site


@pytest.fixture(scope="session", autouse=True)
def own_cache() -> None:
    """No cluster is started here: nothing is built."""
    check_root()


@pytest.fixture(scope="session")
def made() -> Iterator[Site]:
    """The site, with servers on each node."""
    with site(idle_minute_s=MINUTE_S) as made:
        for number, backend in enumerate(made.backends):
            for port in (PORT, OTHER_PORT, HEALTH_PORT):
                backend.listen(port)
            addresses = [*PUBLIC, *INTERNAL, *(members[number] for members in MEMBERS)]
            backend.listen_udp(PORT, *addresses)
        made.outside.listen(PORT)
        yield made


@pytest.fixture
def net(made: Site) -> Site:
    """The site without a load balancer, and with all backends well."""
    made.apply(Plan((), ()))
    for backend in made.backends:
        backend.status = 200
        backend.probed.clear()
        backend.resets = 0
    return made
