"""The container image of manifests/in-cluster/Dockerfile, made without a builder, in the image store of one node."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from packaging.requirements import Requirement

from fixtures.clusters.local.build import binary_folder
from fixtures.clusters.local.cluster import LocalCluster
from fixtures.clusters.local.images import PYTHON_IMAGE, Image, all_images, with_code, write_archive
from fixtures.clusters.local.installed import files_with_needs
from fixtures.clusters.local.upstreams import upstream
from tests.local.helpers import ROOT

TAG = "localhost/service-conformance:test"
DOCKERFILE = ROOT / "manifests" / "in-cluster" / "Dockerfile"
APP, PACKAGES = "app", "opt/packages"
LOADING_TIMEOUT_S = 120.0
NOT_COPIED = ("__pycache__", ".egg-info")
"""As .dockerignore has it."""


def instructions(name: str) -> Iterator[list[str]]:
    """The words of each instruction of the Dockerfile with this name, such as COPY."""
    text = DOCKERFILE.read_text("utf-8").replace("\\\n", " ")
    for words in re.findall(rf"^{name} (.+)$", text, re.M):
        yield shlex.split(words)


def copied() -> dict[str, Path]:
    """What the Dockerfile copies: path in the image (without the leading slash) to the file here."""
    sources = [ROOT / source for words in instructions("COPY") for source in words[:-1]]
    files = [file for source in sources for file in ([source] if source.is_file() else sorted(source.rglob("*")))]
    kept = (file for file in files if file.is_file() and not any(word in str(file) for word in NOT_COPIED))
    return {f"{APP}/{file.relative_to(ROOT)}": file for file in kept}


def dependencies() -> dict[str, Path]:
    """What pip would install of pyproject.toml without any extra: as `copied` gives files."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    found: dict[str, Path] = {}
    for text in stated:
        found |= files_with_needs(Requirement(text).name)
    return {f"{PACKAGES}/{name}": path for name, path in found.items()}


def suite_image() -> Image:
    """The image, with the interpreter of this process and what is installed beside it."""
    (python,) = (image for image in all_images() if image.tag == PYTHON_IMAGE)
    variables = [word for words in instructions("ENV") for word in words if not word.startswith("PYTHONPATH=")]
    made = with_code(python, TAG, dependencies() | copied(), f"PYTHONPATH=/{APP}:/{PACKAGES}", *variables)
    # What it starts is stated as JSON.
    (entrypoint,) = re.findall(r'^ENTRYPOINT \["python3", (.+)\]$', DOCKERFILE.read_text("utf-8"), re.M)
    words = [word.strip().strip('"') for word in entrypoint.split(",")]
    return dataclasses.replace(made, entrypoint=(*python.entrypoint, *words))


@contextmanager
def image_on(cluster: LocalCluster, node: str, folder: Path) -> Iterator[str]:
    """The image's tag, while the image is in a node's store.

    Args:
        cluster: whose node.
        node: its name.
        folder: for the archive, which takes some 200 MB.
    """
    archive = folder / "suite.tar"
    write_archive(archive, [suite_image()])
    try:
        ctr_images(cluster, node, "import", "--digests=false", "--local", "--discard-unpacked-layers", str(archive))
    finally:
        archive.unlink()
    yield TAG
    ctr_images(cluster, node, "rm", "--sync", TAG)


def ctr_images(cluster: LocalCluster, node: str, *words: str) -> None:
    """Run containerd's own client on the images of a node, as the image store was filled."""
    ctr = binary_folder(upstream("containerd")) / "ctr"
    argv: Sequence[str] = [*cluster.node(node).enter(), str(ctr), "--namespace=k8s.io", "images", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LOADING_TIMEOUT_S, check=False)
    assert done.returncode == 0, f"{argv} ended with {done.returncode}: {done.stderr}"
