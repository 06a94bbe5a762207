"""The certificates: who signed them, whom they name, and who can read the keys."""

from __future__ import annotations

import stat
from base64 import b64decode
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fixtures.clusters.local.pki import CertificateAuthority, write_kubeconfig


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    """A fresh authority."""
    return CertificateAuthority(tmp_path / "pki")


def certificate(path: Path) -> x509.Certificate:
    """The certificate in a file."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def purposes(of: x509.Certificate) -> set[x509.ObjectIdentifier]:
    """The extended key usages of a certificate."""
    return set(of.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_keys_are_readable_by_their_owner_alone(authority: CertificateAuthority, tmp_path: Path) -> None:
    credentials = authority.issue("admin", "admin")
    authority.issue_signing_key("service-accounts")
    write_kubeconfig(
        tmp_path / "admin.yaml", cluster="t", server="https://[::1]:1", ca=authority.path, credentials=credentials
    )
    keys = [*(tmp_path / "pki").glob("*.key"), tmp_path / "admin.yaml"]
    assert len(keys) == 3
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700


def test_a_user_is_named_as_kubernetes_reads_it(authority: CertificateAuthority) -> None:
    path, key = authority.issue("node-1", "system:node:node-1", ["system:nodes"])
    issued = certificate(path)
    (user,) = issued.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    (group,) = issued.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert (user.value, group.value) == ("system:node:node-1", "system:nodes")
    assert purposes(issued) == {ExtendedKeyUsageOID.CLIENT_AUTH}
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    assert private.public_key() == issued.public_key()


def test_a_server_is_found_under_each_of_its_names_and_no_other(authority: CertificateAuthority) -> None:
    addresses = [ip_address("10.128.0.1"), ip_address("fd5c::1")]
    path, _ = authority.issue("apiserver", "kube-apiserver", names=["kubernetes", "localhost"], addresses=addresses)
    issued = certificate(path)
    assert purposes(issued) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    found = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == ["kubernetes", "localhost"]
    assert found.get_values_for_type(x509.IPAddress) == addresses


def test_the_authority_may_sign_and_no_one_else(authority: CertificateAuthority) -> None:
    path, _ = authority.issue("admin", "admin")
    authority_says = certificate(authority.path).extensions.get_extension_for_class(x509.BasicConstraints)
    assert authority_says.value.ca
    assert authority_says.critical
    with pytest.raises(x509.ExtensionNotFound):
        certificate(path).extensions.get_extension_for_class(x509.BasicConstraints)


def test_what_is_signed_is_signed_by_the_authority(authority: CertificateAuthority, tmp_path: Path) -> None:
    ours = certificate(authority.issue("admin", "admin")[0])
    ours.verify_directly_issued_by(certificate(authority.path))
    other = CertificateAuthority(tmp_path / "other")
    with pytest.raises(InvalidSignature):
        ours.verify_directly_issued_by(certificate(other.path))


def test_a_kubeconfig_stands_alone(authority: CertificateAuthority, tmp_path: Path) -> None:
    credentials = authority.issue("admin", "admin")
    path = tmp_path / "admin.yaml"
    write_kubeconfig(path, cluster="t", server="https://127.0.0.1:1", ca=authority.path, credentials=credentials)
    content = yaml.safe_load(path.read_text())
    (context,) = [c["context"] for c in content["contexts"] if c["name"] == content["current-context"]]
    (cluster,) = [c["cluster"] for c in content["clusters"] if c["name"] == context["cluster"]]
    (user,) = [u["user"] for u in content["users"] if u["name"] == context["user"]]
    assert cluster["server"] == "https://127.0.0.1:1"
    assert b64decode(cluster["certificate-authority-data"]) == authority.path.read_bytes()
    assert b64decode(user["client-certificate-data"]) == credentials[0].read_bytes()
    assert b64decode(user["client-key-data"]) == credentials[1].read_bytes()
