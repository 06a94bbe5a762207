"""Images made without a registry, and the configuration of the containerd that holds them."""

from __future__ import annotations

import io
import json
import marshal
import platform
import py_compile
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from fixtures.clusters.local import images
from fixtures.clusters.local.containerd import CONTAINERD_SOCKET, containerd_config
from fixtures.clusters.local.images import PYTHON_IMAGE, Image, ensure_store, store_folder, write_archive
from tests.unit.local_fakes import Said, names_in


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file to put into images."""
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF program")
    return path


def contents(archive: Path) -> dict[str, bytes]:
    """The files of an archive."""
    with tarfile.open(archive) as tar:
        return {m.name: stream.read() for m in tar if (stream := tar.extractfile(m))}


def layer_of(files: dict[str, bytes], entry: dict[str, list[str]]) -> tarfile.TarFile:
    """The one layer of an image of an archive."""
    (name,) = entry["Layers"]
    return tarfile.open(fileobj=io.BytesIO(files[name]))


def test_an_archive_is_what_the_image_specification_says(tmp_path: Path, program: Path) -> None:
    write_archive(
        tmp_path / "a.tar",
        [
            Image("localhost/one:1", {"program": program}, ("/program",), ("serve",), environment=("A=b",)),
            Image("localhost/two:2", {"bin/program": program}, ("/bin/program",)),
        ],
    )
    files = contents(tmp_path / "a.tar")
    manifest = json.loads(files["manifest.json"])
    assert [entry["RepoTags"] for entry in manifest] == [["localhost/one:1"], ["localhost/two:2"]]
    for entry in manifest:
        config = json.loads(files[entry["Config"]])
        assert entry["Config"] == f"{sha256(files[entry['Config']]).hexdigest()}.json"
        assert config["rootfs"]["diff_ids"] == [f"sha256:{sha256(files[n]).hexdigest()}" for n in entry["Layers"]]
        assert config["architecture"] == {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        assert config["os"] == "linux"
    first = json.loads(files[manifest[0]["Config"]])["config"]
    assert (first["Entrypoint"], first["Cmd"]) == (["/program"], ["serve"])
    assert "A=b" in first["Env"]


def test_a_layer_has_each_folder_once_before_what_is_in_it(tmp_path: Path, program: Path) -> None:
    image = Image(
        "localhost/x:1",
        {"a/b/one": program, "a/b/two": program},
        ("/a/b/one",),
        links={"bin/one": "/a/b/one"},
        data={"a/data": b"text"},
    )
    write_archive(tmp_path / "a.tar", [image])
    files = contents(tmp_path / "a.tar")
    layer = layer_of(files, json.loads(files["manifest.json"])[0])
    members = layer.getnames()
    assert len(members) == len(set(members))
    for name in members:
        parents = [str(parent) for parent in Path(name).parents][:-1]
        assert all(members.index(parent) < members.index(name) for parent in parents), name
    assert layer.getmember("a/b/one").mode == 0o755
    assert layer.getmember("a/data").mode == 0o644
    assert layer.getmember("tmp").mode == 0o1777
    assert layer.getmember("bin/one").linkname == "/a/b/one"
    passwd = layer.extractfile("etc/passwd")
    assert passwd is not None
    assert b"nobody:x:65534:" in passwd.read()


def test_the_python_image_has_the_library_compiled_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json/decoder.py", "json/test/test_it.py", "site-packages/pip.py", "config-3-x/a.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("ANSWER = 42\n")
    monkeypatch.setattr(sysconfig, "get_path", {"stdlib": str(tmp_path)}.__getitem__)
    image = images._python_image()
    root = str(tmp_path).lstrip("/")
    assert image.tag == PYTHON_IMAGE
    assert [name for name in image.files if name.startswith(root)] == [f"{root}/json/decoder.py"]
    (compiled,) = image.data.items()
    assert compiled[0] == f"{root}/json/__pycache__/decoder.{sys.implementation.cache_tag}.pyc"
    # PEP 552: bits 01 say that the source is not looked at; the code begins after 16 bytes.
    assert compiled[1][4:8] == b"\x01\0\0\0"
    assert 42 in marshal.loads(compiled[1][16:]).co_consts
    assert image.links["bin/python3"].lstrip("/") in image.files
    assert [path for path in image.files if "libc.so" in path]


def test_bytecode_that_is_there_is_taken_unless_the_source_has_changed(tmp_path: Path) -> None:
    module = tmp_path / "answer.py"
    module.write_text("ANSWER = 42\n")
    compiled = images._compiled(module)[1]
    cached = Path(py_compile.compile(str(module), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP) or "")
    taken = images._compiled_before(module, cached)
    assert taken is not None
    assert (taken[:8], taken[16:]) == (compiled[:8], compiled[16:])
    assert images._compiled(module) == (str(cached).lstrip("/"), taken)
    module.write_text("ANSWER = 4242\n")
    assert images._compiled_before(module, cached) is None
    assert 4242 in marshal.loads(images._compiled(module)[1][16:]).co_consts


def test_the_store_is_filled_once_and_again_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    filled: list[Path] = []
    monkeypatch.setattr(images, "all_images", tuple)

    def fill(root: Path, _archive: Path, _work: Path) -> None:
        (root / "layer").write_text("content")
        filled.append(root)

    monkeypatch.setattr(images, "_fill", fill)
    assert ensure_store(Said()) == ensure_store(Said()) == store_folder()
    assert len(filled) == 1
    ensure_store(Said(), rebuild=True)
    assert len(filled) == 2
    (store_folder() / "layer").write_text("cut")
    said = Said()
    ensure_store(said)
    assert len(filled) == 3
    assert "cache: the image store is damaged; it is made again" in said.lines
    published = store_folder().parent
    assert names_in(published.parent) == [published.name]


def test_a_store_that_cannot_be_filled_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(images, "all_images", tuple)

    def failing(root: Path, _archive: Path, _work: Path) -> None:
        (root / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(images, "_fill", failing)
    with pytest.raises(KeyboardInterrupt):
        ensure_store(Said())
    assert names_in(store_folder().parent.parent) == []


def test_containerd_reads_its_configuration() -> None:
    odd = Path('/a "quoted"\\folder')
    text = containerd_config(root=odd, runc=odd / "runc", cni_bin=[odd], cni_conf=odd, pause="localhost/pause:1")
    config = tomllib.loads(text)
    assert config["version"] == 3
    assert config["root"] == str(odd)
    assert config["grpc"]["address"] == CONTAINERD_SOCKET
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["containerd"]["runtimes"]["runc"]["options"] == {
        "BinaryName": str(odd / "runc"),
        "SystemdCgroup": False,
    }
    assert runtime["cni"] == {"bin_dirs": [str(odd)], "conf_dir": str(odd)}
    assert config["plugins"]["io.containerd.cri.v1.images"]["pinned_images"] == {"sandbox": "localhost/pause:1"}


def test_the_python_image_has_every_shared_library_that_the_interpreter_names() -> None:
    listed = subprocess.run(["ldd", sys.executable], capture_output=True, text=True, check=True).stdout
    missing = {line.split()[2] for line in listed.splitlines() if "=> /" in line} - set(
        map(str, images.shared_libraries([Path(sys.executable)]))
    )
    assert missing == set()
