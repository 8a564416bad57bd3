"""An authority that signs certificates with the program openssl, for tests of TLS."""

from __future__ import annotations

import subprocess
from pathlib import Path

# Elliptic keys are made in milliseconds.
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-batch"]


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, openssl: str, folder: Path, name: str = "authority") -> None:
        self._openssl, self._folder = openssl, folder
        self.ca, self._key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        self._run("req", "-x509", *KEY, "-keyout", self._key, "-out", self.ca, "-days", "2",
                  "-subj", f"/CN={name}", *usage)  # fmt: skip

    def signed(self, name: str, *, host: str = "127.0.0.1") -> tuple[str, str]:
        """Sign a certificate for a host; give the files of certificate and key."""
        cert, key, asked, extra = (
            str(self._folder / f"{name}.{end}") for end in ("pem", "key", "csr", "ext")
        )
        kind = "IP" if host[0].isdigit() else "DNS"
        Path(extra).write_text(f"subjectAltName={kind}:{host}\n")
        self._run("req", *KEY, "-keyout", key, "-out", asked, "-subj", f"/CN={name}")
        self._run("x509", "-req", "-in", asked, "-CA", self.ca, "-CAkey", self._key, "-out", cert,
                  "-days", "2", "-CAcreateserial", "-extfile", extra)  # fmt: skip
        return cert, key

    def _run(self, *words: str) -> None:
        subprocess.run([self._openssl, *words], check=True, capture_output=True, timeout=30)
