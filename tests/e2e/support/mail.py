"""Mails as the `files` driver leaves them. SPDX-License-Identifier: Apache-2.0"""
import email
import email.policy
import select
import time


def read_mails(shop) -> list:
    folder = shop.data / "mail"
    names = sorted(folder.glob("*.eml")) if folder.is_dir() else []
    return [email.message_from_bytes(f.read_bytes(), policy=email.policy.default) for f in names]


def wait_for_mail(shop, address: str, timeout: float = 60) -> list:
    """All mails to address, once there is one. The folder has no event to wait for that works on
    every file system, so it is looked at in short steps."""
    deadline = time.monotonic() + timeout
    while True:
        found = [m for m in read_mails(shop) if address in m["to"]]
        if found or time.monotonic() > deadline:
            return found
        select.select([], [], [], 0.02)


def text_of(mail) -> str:
    return mail.get_body(("plain",)).get_content()
