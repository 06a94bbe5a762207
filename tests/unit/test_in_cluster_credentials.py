"""A pod's own credentials in place of a kubeconfig: found, refused where a part is missing, read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from fixtures.api import NODES, Api, Refused
from fixtures.clusters.kubeconfig import in_cluster
from fixtures.clusters.kubeconfig.settings import read_settings
from fixtures.clusters.kubeconfig.source import read_context
from fixtures.clusters.registry import open_cluster
from fixtures.errors import UsageError
from fixtures.tokens import token_file
from tests.unit.kube_api import KubeApi, kube_api

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a pod's service account; there is no kubeconfig beside it."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("planted-1\n", "utf-8")
    (folder / "ca.crt").write_text("certificates", "utf-8")
    monkeypatch.setattr(in_cluster, "FOLDER", folder)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return folder


@pytest.fixture
def api() -> Iterator[KubeApi]:
    """An API server that knows one token."""
    with kube_api() as served:
        served.token = "planted-1"  # noqa: S105 - of this test
        yield served


def test_a_pod_s_service_account_stands_in_for_a_kubeconfig(account: Path) -> None:
    name, config = read_context(read_settings({}, POD))
    assert name == "in-cluster"
    assert config["clusters"][0]["cluster"] == {
        "server": "https://10.0.0.1:443",
        "certificate-authority": str(account / "ca.crt"),
    }
    assert config["users"][0]["user"] == {"tokenFile": str(account / "token")}
    assert in_cluster.server({**POD, in_cluster.HOST: "fd00::1"}) == "https://[fd00::1]:443"


@pytest.mark.parametrize(
    ("flags", "environment"),
    [({"--target-kubeconfig": "{file}"}, {}), ({}, {"KUBECONFIG": "{file}"}), ({}, {"HOME": ""})],
    ids=["flag", "variable", "default"],
)
@pytest.mark.usefixtures("account")
def test_a_kubeconfig_wins(tmp_path: Path, flags: dict[str, str], environment: dict[str, str]) -> None:
    file = tmp_path / ".kube" / "config"
    file.parent.mkdir()
    file.touch()
    given = {name: value.format(file=file) for name, value in flags.items()}
    stated = POD | {name: value.format(file=file) for name, value in environment.items()}
    settings = read_settings(given, stated)
    assert (settings.server, settings.file) == ("", file)


LACKING: list[tuple[str, Callable[[Path], object], dict[str, str], str]] = [
    (
        "no token",
        lambda f: (f / "token").unlink(),
        POD,
        "token: No such file or directory; allowed is a kubeconfig, or",
    ),
    ("empty token", lambda f: (f / "token").write_text("\n"), POD, "token is empty"),
    ("no certificates", lambda f: (f / "ca.crt").unlink(), POD, "ca.crt: No such file or directory"),
    ("no text", lambda f: (f / "ca.crt").write_bytes(b"\xff"), POD, "ca.crt: not text"),
    ("no host", lambda _: None, {"KUBERNETES_SERVICE_PORT": "443"}, "KUBERNETES_SERVICE_HOST is not set"),
    ("no port", lambda _: None, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "KUBERNETES_SERVICE_PORT is not set"),
]


@pytest.mark.parametrize(("spoil", "environment", "said"), [case[1:] for case in LACKING], ids=[c[0] for c in LACKING])
def test_half_of_it_is_one_line(
    account: Path, spoil: Callable[[Path], object], environment: dict[str, str], said: str
) -> None:
    spoil(account)
    with pytest.raises(UsageError) as refused:
        read_settings({}, environment)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("--target-kubeconfig: missing, KUBECONFIG is not set, and of this pod's service account ")
    assert said in line
    assert "planted" not in line


@pytest.mark.usefixtures("account")
def test_a_context_has_no_meaning_in_a_pod() -> None:
    with pytest.raises(UsageError, match="--context: found 'demo', but this pod has no kubeconfig; leave it out, or"):
        read_settings({"--context": "demo"}, POD)


def test_outside_a_pod_nothing_is_different(account: Path) -> None:
    (account / "token").unlink()
    settings = read_settings({}, {})
    assert settings.server == ""
    with pytest.raises(UsageError, match=r"--target-kubeconfig: missing, KUBECONFIG is not set, and .*: No such file"):
        read_context(settings)


def test_from_a_pod_nothing_is_outside_and_the_token_is_not_copied(
    account: Path, api: KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in POD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(in_cluster, "server", lambda _: api.server)
    said: list[str] = []
    cluster = open_cluster("kubeconfig", name=None, keep=False, progress=said.append)
    assert (cluster.info.name, cluster.info.outside, cluster.info.public_node_ports) == ("in-cluster", None, False)
    assert any("in a pod of the cluster: nothing is outside it" in line for line in said)
    assert "planted" not in cluster.info.kubeconfig.read_text("utf-8")
    (account / "token").write_text("planted-2", "utf-8")
    api.token = "planted-2"  # noqa: S105 - of this test
    assert len(Api(cluster.info.kubeconfig).list_all(NODES)["items"]) == 3
    cluster.close()


def test_a_token_that_rotates_is_read_again_for_each_request(account: Path, api: KubeApi) -> None:
    file = account.parent / "config"
    # Relative to the kubeconfig's folder, as kubernetes.io has it.
    file.write_text(api.kubeconfig({"tokenFile": "serviceaccount/token"}), "utf-8")
    asking = Api(file)
    asking.list_all(NODES)
    api.token = "planted-2"  # noqa: S105 - of this test
    with pytest.raises(Refused, match="401"):
        asking.list_all(NODES)
    (account / "token").write_text("planted-2\n", "utf-8")
    asking.list_all(NODES)
    # While it is replaced it may be away, or empty, for a moment.
    (account / "token").write_text("", "utf-8")
    asking.list_all(NODES)
    (account / "token").unlink()
    asking.list_all(NODES)
    assert api.tokens == [f"Bearer planted-{number}" for number in (1, 1, 2, 2, 2)]


@pytest.mark.parametrize("user", [{"token": "a"}, {"token": "a", "tokenFile": "b"}, {"exec": {"command": "c"}}])
def test_other_credentials_are_the_client_s_business(tmp_path: Path, api: KubeApi, user: dict[str, object]) -> None:
    file = tmp_path / "config"
    file.write_text(api.kubeconfig(user), "utf-8")
    assert token_file(file, None) is None
    assert token_file(file, "no-such-context") is None
    assert yaml.safe_load(file.read_text("utf-8"))["users"][0]["user"] == user
