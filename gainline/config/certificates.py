"""Makes what TLS needs of the files that `broker` names, each of them checked."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NoReturn

from contracts.errors import ConfigError


def verifying(ca_file: str | None, cert_file: str | None, key_file: str | None) -> ssl.SSLContext:
    """Make what verifies a broker, and proves who we are where a certificate is given.

    The authorities are those in `ca_file`, else those of the system. The certificate must verify
    and be of the host that was asked for. Raises ConfigError naming the key and the fix.
    """
    for key, path in (("ca_file", ca_file), ("cert_file", cert_file), ("key_file", key_file)):
        if path:
            content_of(key, path)
    if key_file and not cert_file:
        raise ConfigError("broker.cert_file: it is missing; broker.key_file is the key of one")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise ConfigError(
            f"broker.ca_file: {ca_file} holds no certificate in PEM, or a broken one; give that"
            " of the authority which signed the broker's"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TidySocket
    if cert_file:
        _prove_with(context, cert_file, key_file)
    return context


def content_of(key: str, path: str) -> bytes:
    """Read a file that a key names. Raises ConfigError."""
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise ConfigError(f"broker.{key}: {path} cannot be read: {problem.strerror}") from None
    except ValueError as problem:
        raise ConfigError(f"broker.{key}: {path!r} cannot be read: {problem}") from None


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho would leave that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as inherited
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _prove_with(context: ssl.SSLContext, cert_file: str, key_file: str | None) -> None:
    """Load a certificate and its key, which may stand in one file."""
    holder = key_file or cert_file

    def no_passphrase() -> NoReturn:  # without it OpenSSL asks on the terminal, and waits
        raise ConfigError(
            f"broker.key_file: {holder} is encrypted; give the key without a passphrase, in a"
            " file that gainline's user alone can read"
        )

    try:
        context.load_cert_chain(cert_file, key_file, no_passphrase)
    except ssl.SSLError as problem:
        if problem.reason == "KEY_VALUES_MISMATCH":
            words = f"broker.key_file: {holder} is not the key of {cert_file}; give the one that is"
        elif _holds_certificate(cert_file):
            words = f"broker.key_file: {holder} holds no private key in PEM; give one that does"
        else:
            words = f"broker.cert_file: {cert_file} holds no certificate in PEM; give one that does"
        raise ConfigError(words) from None


def _holds_certificate(path: str) -> bool:
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return False
    return True
