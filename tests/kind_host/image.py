"""The node image of our own: Debian, this project's programs and kubeadm; made once, kept in an engine's data."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.clusters.local.build import binary_folder, ensure_binaries
from fixtures.clusters.local.cache import exclusive, publishing
from fixtures.clusters.local.images import PYTHON_IMAGE, all_images, write_archive
from fixtures.clusters.local.paths import cache_dir
from fixtures.clusters.local.progress import Progress
from fixtures.clusters.local.upstreams import CLOUD_CONTROLLER_MANAGER, Upstream, upstream
from fixtures.errors import SuiteError
from tests.kind_host.engine import Engine
from tests.kind_host.layers import kubeadm_images, write_images
from tests.kind_host.tools import ensure_tools

HERE = Path(__file__).parent
NODE = HERE / "node"
IMAGE = f"localhost/kind-node:v{upstream('kubernetes').version}"
KUBEADM = Upstream(
    "kubeadm",
    packages=("k8s.io/kubernetes/cmd/kubeadm",),
    programs=("kubeadm",),
    module="k8s.io/kubernetes",
    # Kubernetes' flags: what both are made of is compiled once.
    tags=upstream("kubernetes").tags,
    ldflags=upstream("kubernetes").ldflags,
    sources=HERE / "sources",
)
COREDNS = Upstream(
    "coredns",
    packages=(".",),
    programs=("coredns",),
    module="github.com/coredns/coredns",
    sources=HERE / "sources",
)
"""With the plugins that kubeadm configures, of which the local cluster's has some only."""
DEBIAN = "bookworm"
PACKAGES = (
    "iptables",
    "nftables",
    "iproute2",
    "util-linux",
    "procps",
    "mount",
    "ethtool",
    "conntrack",
    "libseccomp2",
    "kmod",
    "hostname",
)
LEFT_OUT = ("man", "doc", "locale")
"""Folders of /usr/share."""


@contextmanager
def engine(progress: Progress) -> Iterator[Engine]:
    """A running Docker engine that has the node image; one at a time on a machine.

    Raises:
        UsageError: this machine lacks something.
        SuiteError: the image could not be made, or the engine did not start.
    """
    with exclusive(
        cache_dir() / "locks" / "kind-host.lock", waiting=lambda: progress.line("another run uses the engine; waiting")
    ):
        tools = ensure_tools(progress)
        data = _ensure_image(tools, progress)
        with Engine(tools, data) as running:
            yield running


def _ensure_image(tools: Path, progress: Progress) -> Path:
    """The folder of an engine's data that has the image; made when its inputs have changed."""
    ensure_binaries(progress, without=[CLOUD_CONTROLLER_MANAGER])
    ensure_binaries(progress, upstreams=[KUBEADM, COREDNS])
    folder = cache_dir() / "kind-host" / f"image-{_key(tools)}"
    if folder.exists():
        return folder / "data"
    progress.line(f"making the node image {IMAGE}")
    with publishing(folder) as scratch:
        root = scratch / "root"
        _make_debian(root, tools)
        _fill(root)
        with Engine(tools, scratch / "data") as running:
            _import(running, root)
        shutil.rmtree(root)
    for other in set(folder.parent.glob("image-*")) - {folder}:
        shutil.rmtree(other)
    return folder / "data"


def _key(tools: Path) -> str:
    digest = hashlib.sha256(f"{tools.name} {PYTHON_IMAGE}".encode())
    names = [
        entry.name
        for entry in (*map(binary_folder, map(upstream, _PROGRAMS)), binary_folder(KUBEADM), binary_folder(COREDNS))
    ]
    digest.update(" ".join(names).encode())
    for file in (Path(__file__), HERE / "layers.py", *sorted(NODE.iterdir())):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


_PROGRAMS = {
    "containerd": ("containerd", "containerd-shim-runc-v2", "ctr"),
    "runc": ("runc",),
    "cni": ("ptp", "host-local", "loopback", "portmap"),
    "kubernetes": ("kubernetes",),
    "etcd": (),
    "tools": (),
}
"""By upstream: the programs that are in the node's own file system. The others are in images only."""


def _make_debian(root: Path, tools: Path) -> None:
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT]
    path = f"{tools}/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    done = subprocess.run(
        [*command, DEBIAN, str(root)], env={"PATH": path, "HOME": "/"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SuiteError(f"mmdebstrap ended with {done.returncode}: {done.stderr.strip()[-1000:]}")
    for folder in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(root / folder)


def _fill(root: Path) -> None:
    """Put our programs, kind's files and the images into the file system."""
    programs, plugins, own = root / "usr/local/bin", root / "opt/cni/bin", root / "kind"
    for folder in (programs, plugins, own / "manifests", own / "kubelet.d", root / "etc/containerd", root / "etc/cni"):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "etc/cni/net.d").mkdir()
    for name, wanted in _PROGRAMS.items():
        for program in wanted:
            shutil.copy2(binary_folder(upstream(name)) / program, plugins if name == "cni" else programs)
    for name in ("kubelet", "kubectl"):
        (programs / name).symlink_to("kubernetes")
    kubeadm = binary_folder(KUBEADM) / "kubeadm"
    shutil.copy2(kubeadm, programs)
    for source, name in (("init.sh", "node-init"), ("pod_network.sh", "pod-network"), ("journalctl", "journalctl")):
        shutil.copyfile(NODE / source, programs / name)
        (programs / name).chmod(0o755)
    version = f"v{upstream('kubernetes').version}"
    tags = kubeadm_images(kubeadm, version)
    (own / "version").write_text(version)
    for name in ("default-cni.yaml", "default-storage.yaml"):
        shutil.copyfile(NODE / name, own / "manifests" / name)
    shutil.copyfile(NODE / "kubelet.yaml", own / "kubelet.d" / "10-node.conf")
    (root / "etc/containerd/config.toml").write_text(
        (NODE / "containerd.toml").read_text().replace("PAUSE", tags["pause"])
    )
    (root / "etc/machine-id").write_text("")
    (own / "images").mkdir()
    write_images(own / "images" / "kubernetes.tar", tags, root, binary_folder(COREDNS) / "coredns")
    write_archive(own / "images" / "python.tar", [image for image in all_images() if image.tag == PYTHON_IMAGE])


def _import(running: Engine, root: Path) -> None:
    changes = ('ENTRYPOINT ["/usr/local/bin/node-init"]', "ENV container=docker")
    command = ["tar", f"--directory={root}", "--numeric-owner", "--create", "."]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tar:
        assert tar.stdout is not None
        options = [part for change in changes for part in ("--change", change)]
        running.docker("import", *options, "-", IMAGE, stdin=tar.stdout.fileno())
    if tar.returncode:
        raise SuiteError(f"tar of the node's file system ended with {tar.returncode}")
