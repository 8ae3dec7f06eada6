"""Certificates made on the spot, each its own root. SPDX-License-Identifier: Apache-2.0"""
import os
import pathlib
import shutil
import ssl
import subprocess
import time


class Certificate:
    """name.pem and name.key in folder, for hosts; written anew by renew()."""

    def __init__(self, folder: pathlib.Path, name: str = "shop", hosts: tuple[str, ...] = ("localhost",),
                 days: int = 100, made_days_ago: int = 0):
        self.pem, self.key, self.hosts = folder / f"{name}.pem", folder / f"{name}.key", hosts
        self.renew(days, made_days_ago)

    def renew(self, days: int = 100, made_days_ago: int = 0) -> None:
        names = ",".join(["IP:127.0.0.1", *(f"DNS:{host}" for host in self.hosts)])
        clock = ["faketime", f"@{int(time.time()) - made_days_ago * 86400}"] if made_days_ago else []
        pem, key = self.pem.with_suffix(".pem.part"), self.key.with_suffix(".key.part")
        subprocess.run([*clock, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-keyout", key, "-out", pem, "-days", str(days), "-subj", "/CN=test",
                        "-addext", f"subjectAltName={names}"], check=True, capture_output=True)
        key.chmod(0o600)
        os.replace(key, self.key)
        os.replace(pem, self.pem)

    def copy_to(self, other: "Certificate") -> None:
        shutil.copy(self.pem, other.pem)
        shutil.copy(self.key, other.key)

    def serial(self) -> int:
        return int(subprocess.run(["openssl", "x509", "-in", self.pem, "-noout", "-serial"], check=True,
                                  capture_output=True, text=True).stdout.partition("=")[2], 16)

    def context(self, **minimum) -> ssl.SSLContext:
        """A client that trusts nothing but this."""
        context = ssl.create_default_context(cafile=str(self.pem))
        for name, value in minimum.items():
            setattr(context, name, value)
        return context

    def lua(self) -> str:
        return f'certificate = "{self.pem.name}", key = "{self.key.name}"'


def blind() -> ssl.SSLContext:
    """A client that believes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
