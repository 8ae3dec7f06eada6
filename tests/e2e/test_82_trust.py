"""Whose plugins are loaded: signatures, and what `stoa plugin` says about a file.
SPDX-License-Identifier: Apache-2.0"""
import json
import re
import subprocess

import pytest
from support.client import Client
from support.control import ask, edit
from support.shop import binary, build_folder


@pytest.fixture
def key(tmp_path):
    """(path of the secret key, its line for config.lua)"""
    done = stoa("plugin", "keygen", "acme", cwd=tmp_path)
    assert done.returncode == 0 and re.fullmatch(r"acme:[0-9a-f]{64}\n", done.stdout), done
    assert (tmp_path / "acme.key").stat().st_mode & 0o777 == 0o600
    return tmp_path / "acme.key", done.stdout.strip()


def stoa(*args, cwd=None):
    return subprocess.run([binary(), *map(str, args)], capture_output=True, text=True, timeout=60,
                          cwd=cwd)


def sign_all(plugins, secret):
    for so in plugins.folder.glob("*.so"):
        done = stoa("plugin", "sign", so, "--key", secret)
        assert done.returncode == 0 and done.stdout == f"{so}.sig\n", done


def make(make_shop, plugins, trust):
    more = f'plugin_path = "{plugins.folder}", trust = {{ all = true, {trust} }},'
    return make_shop(seed=False, plugins="swap = {}", more=more)


def test_required_signatures_are_required(make_shop, plugins, key):
    secret, line = key
    shop = make(make_shop, plugins, f'keys = {{ "{line}" }}, require = true')
    shop.cli("migrate")
    done = shop.cli("run", check=False)
    assert done.returncode == 78 and "is not signed" in done.stderr and "stoa plugin sign" in done.stderr
    sign_all(plugins, secret)
    shop.cli("seed")
    shop.start()
    before = ask(shop, "status")
    # Other bits under the old signature.
    plugins.swap(2)
    answer = ask(shop, "apply")
    assert not answer["ok"] and "swap.so" in answer["text"] and "not one of these bits" in answer["text"]
    # A key that the file does not have.
    other = stoa("plugin", "keygen", "other", cwd=plugins.folder)
    assert other.returncode == 0
    assert stoa("plugin", "sign", plugins.folder / "swap.so", "--key",
                plugins.folder / "other.key").returncode == 0
    answer = ask(shop, "apply")
    assert not answer["ok"] and "does not have: other" in answer["text"]
    (plugins.folder / "swap.so.sig").unlink()
    assert "is not signed" in ask(shop, "apply")["text"]
    assert ask(shop, "status")["config_hash"] == before["config_hash"]
    assert Client(shop).get("/swap/now/1").text[0] == "1"
    # Signed, it is loaded; and so is what the rollback brings back.
    sign_all(plugins, secret)
    assert ask(shop, "apply")["ok"]
    assert Client(shop).get("/swap/now/1").text[0] == "2"
    assert ask(shop, "rollback 1")["ok"]
    assert Client(shop).get("/swap/now/1").text[0] == "1"
    assert shop.stop() == 0


def test_who_vouches_for_bits_is_asked_at_each_apply(make_shop, plugins, key):
    """Also for bits that have not changed, and that otherwise would just serve on."""
    def apply_edited(old: str, new: str) -> dict:
        edit(shop, old, new)
        return ask(shop, "apply")

    def generation() -> int:
        return next(p for p in ask(shop, "status")["plugins"] if p["name"] == "swap")["generation"]

    secret, line = key
    signature = plugins.folder / "swap.so.sig"
    done = stoa("plugin", "keygen", "second", cwd=plugins.folder)
    shop = make(make_shop, plugins, f'keys = {{ "{line}", "{done.stdout.strip()}" }}, require = true')
    sign_all(plugins, secret)
    shop.cli("migrate")
    shop.start()
    first = generation()
    assert ask(shop, "apply")["ok"] and generation() == first
    kept = signature.read_bytes()
    signature.unlink()
    answer = ask(shop, "apply")
    assert not answer["ok"] and "is not signed" in answer["text"], answer
    signature.write_bytes(kept)
    answer = apply_edited(f'"{line}", ', "")
    assert not answer["ok"] and "does not have: acme" in answer["text"], answer
    assert generation() == first
    answer = apply_edited("keys = { ", f'keys = {{ "{line}", ')
    assert answer["ok"] and generation() == first, answer
    assert stoa("plugin", "sign", plugins.folder / "swap.so", "--key",
                plugins.folder / "second.key").returncode == 0
    assert ask(shop, "apply")["ok"] and generation() != first
    assert shop.stop() == 0


def test_plugins_beside_the_binary_need_no_signature(make_shop):
    shop = make_shop(seed=False, more="trust = { require = true },")
    shop.cli("migrate")
    assert shop.start().stop() == 0


def test_a_key_that_is_none_is_refused_with_its_place(make_shop):
    shop = make_shop(seed=False, more='trust = { keys = { "acme:12" } },')
    done = shop.cli("check", check=False)
    assert done.returncode == 78 and "trust.keys[1] is no key" in done.stderr


# ---- stoa plugin ----

def test_plugin_check_says_what_a_load_would_say(plugins, tmp_path):
    good = plugins.version(1)
    done = stoa("plugin", "check", good, cwd=tmp_path)
    assert done.returncode == 0 and "ok, swap 1.0.0, not signed" in done.stdout
    cut = tmp_path / "cut.so"
    cut.write_bytes(good.read_bytes()[:5000])
    done = stoa("plugin", "check", cut, cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == "" and "cut.so" in done.stderr
    done = stoa("plugin", "check", cut, "--json", cwd=tmp_path)
    assert done.returncode == 1 and json.loads(done.stdout)["ok"] is False


def test_plugin_info_reads_the_manifest(tmp_path):
    order = build_folder() / "plugins/order/order.so"
    done = json.loads(stoa("plugin", "info", order, "--json").stdout)
    assert done["name"] == "order" and done["abi"] == "1.0" and "sql" in done["capabilities"]
    assert stoa("plugin", "info", order).stdout.startswith("order ")
    assert stoa("plugin", "info", tmp_path / "none.so").returncode == 1


@pytest.mark.parametrize("args, said", [
    ([], "followed by check"), (["fly"], "not 'fly'"), (["check"], "check FILE.so"),
    (["sign", "x.so"], "--key FILE"), (["check", "a", "b"], "one word too many"),
    (["keygen", "../x"], "a key's name")])
def test_wrong_use_ends_with_2(args, said, tmp_path):
    done = stoa("plugin", *args, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == "" and said in done.stderr, done
    assert "--help" in done.stderr or "keygen" in done.stderr


def test_a_secret_key_is_not_written_over(tmp_path):
    assert stoa("plugin", "keygen", "a", cwd=tmp_path).returncode == 0
    before = (tmp_path / "a.key").read_text()
    done = stoa("plugin", "keygen", "a", cwd=tmp_path)
    assert done.returncode == 1 and "File exists" in done.stderr
    assert (tmp_path / "a.key").read_text() == before
