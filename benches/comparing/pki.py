"""Certificates for one run: one CA, everybody's certificate from it, and its revocation list."""

import subprocess
from pathlib import Path

CONFIG = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:{host}
[ca]
default_ca = lists
[lists]
database = {dir}/index.txt
crlnumber = {dir}/crlnumber
default_md = sha256
default_crl_days = 30
crl_extensions = list
[list]
authorityKeyIdentifier = keyid
"""

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def make(folder: Path) -> None:
    """Writes ca.pem, crl.pem, and a certificate and key for `server`, `client` and `gateway`."""
    folder.mkdir(parents=True)
    (folder / "index.txt").touch()
    (folder / "crlnumber").write_text("01\n")
    config(folder, "localhost")
    openssl(folder, "req", "-x509", *NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=bench CA", "-extensions", "authority")
    # What servers are called, and what a gateway and a system call themselves.
    for name, host in [("server", "localhost"), ("gateway", "gateway"), ("client", "service.onestop")]:
        config(folder, host)
        openssl(folder, "req", *NEW_KEY, "-keyout", f"{name}.key", "-out", "request.pem", "-subj", f"/CN={name}")
        openssl(folder, "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "30",
                "-CAcreateserial", "-extfile", "openssl.cnf", "-extensions", "leaf", "-out", f"{name}.pem")
    openssl(folder, "ca", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem", "-out", "crl.pem")


def config(folder: Path, host: str) -> None:
    (folder / "openssl.cnf").write_text(CONFIG.format(host=host, dir=folder))


def openssl(folder: Path, command: str, *arguments: str) -> None:
    given = [] if command == "x509" else ["-config", "openssl.cnf"]
    subprocess.run(["openssl", command, *given, *arguments], cwd=folder, check=True, capture_output=True)
