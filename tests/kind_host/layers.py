"""The images that kubeadm wants, and the prober's, as one docker archive: they share a layer."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from fixtures.clusters.local.build import binary_folder
from fixtures.clusters.local.upstreams import KUBERNETES_COMPONENTS, upstream
from fixtures.errors import SuiteError

ARCHITECTURE = "amd64"
PROXY_TOOLS = ("/usr/sbin/nft", "/usr/sbin/xtables-nft-multi", "/usr/sbin/conntrack")
"""What kube-proxy calls in one mode or the other."""
XTABLES = Path("usr/lib/x86_64-linux-gnu/xtables")
IPTABLES_NAMES = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")


def kubeadm_images(kubeadm: Path, version: str) -> dict[str, str]:
    """The images that a cluster of a version stands on: the tag by the last part of its name, such as etcd."""
    command = [str(kubeadm), "config", "images", "list", "--kubernetes-version", version]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SuiteError(f"kubeadm config images list ended with {done.returncode}: {done.stderr.strip()}")
    return {tag.rpartition("/")[2].partition(":")[0]: tag for tag in done.stdout.split()}


def write_images(archive: Path, tags: Mapping[str, str], root: Path, coredns: Path) -> None:
    """Write the images of `kubeadm_images`: a docker archive (image spec v1.2) of a single layer that they share.

    Args:
        archive: the file to write.
        tags: what `kubeadm_images` found.
        root: a Debian file system, which kube-proxy's tools are taken from.
        coredns: the program.
    """
    layer = archive.with_suffix(".layer")
    _write_layer(layer, root, coredns)
    with layer.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    manifest = []
    with tarfile.open(archive, "w") as out:
        out.add(layer, f"{digest}/layer.tar")
        for name, tag in tags.items():
            config = json.dumps(
                {
                    "architecture": ARCHITECTURE,
                    "os": "linux",
                    "config": {"Entrypoint": [f"/usr/local/bin/{name}"], "Env": ["PATH=/usr/local/bin:/usr/sbin"]},
                    "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
                }
            ).encode()
            file = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(out, file, config)
            manifest.append({"Config": file, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]})
        _add(out, "manifest.json", json.dumps(manifest).encode())
    layer.unlink()


def _write_layer(layer: Path, root: Path, coredns: Path) -> None:
    programs = {
        f"usr/local/bin/{name}": binary_folder(upstream(source)) / name
        for source, name in (("kubernetes", "kubernetes"), ("etcd", "etcd"), ("tools", "pause"))
    }
    programs["usr/local/bin/coredns"] = coredns
    tools = {found.lstrip("/"): root / found.lstrip("/") for found in _with_libraries(root)}
    links = {f"usr/local/bin/{name}": "kubernetes" for name in KUBERNETES_COMPONENTS}
    links |= {f"usr/sbin/{name}": "xtables-nft-multi" for name in IPTABLES_NAMES}
    with tarfile.open(layer, "w", format=tarfile.GNU_FORMAT) as out:
        for folder in ("tmp", "etc", "proc", "sys", "dev", "run", "var"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            out.addfile(entry)
        for name, file in {**programs, **tools}.items():
            out.add(file.resolve(), name)
        out.add(root / XTABLES, str(XTABLES))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            out.addfile(entry)


def _with_libraries(root: Path) -> list[str]:
    """kube-proxy's tools, and the shared libraries that they and their extensions load, as paths in `root`."""
    extensions = [f"/{file.relative_to(root)}" for file in (root / XTABLES).glob("*.so")]
    command = ["chroot", str(root), "ldd", *PROXY_TOOLS, *extensions]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    lines = (line for line in listing.splitlines() if not line.endswith(":"))
    libraries = {word for line in lines for word in line.split() if word.startswith("/")}
    return [*PROXY_TOOLS, *sorted(libraries)]


def _add(out: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    out.addfile(entry, io.BytesIO(content))
