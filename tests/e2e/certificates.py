"""Certificates that a service principal signs in with."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


def new_key() -> rsa.RSAPrivateKey:
    """A private key of 2048 bits."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def own_certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    """A certificate of that key, signed by itself and valid for an hour."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "connector")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )


def pem(key: rsa.RSAPrivateKey, certificate: x509.Certificate, *, password: str = "") -> bytes:
    """Private key, encrypted when there is a password, and certificate as one PEM file."""
    guard = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, guard)
    return private + certificate.public_bytes(encoding)
