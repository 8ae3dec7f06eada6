"""Whatever is wrong with an apply, the world in force serves on and the message says where and why.
SPDX-License-Identifier: Apache-2.0"""
import pytest
from support.client import Client
from support.shop import build_folder
from support.swaps import Load, Plugins, ask, unmaps, wait_quiet


@pytest.fixture
def plugins(tmp_path):
    return Plugins(tmp_path / "plugins")


@pytest.fixture
def make_swappable(make_shop, plugins):
    def make(**options):
        options.setdefault("more", f'plugin_path = "{plugins.folder}",')
        return make_shop(plugins="swap = {}", **options)

    return make


def state(shop) -> dict:
    """What a failed apply must not change."""
    status = ask(shop, "status")
    return {key: status[key] for key in ("config_hash", "world", "revision", "plugins", "pid")} | {
        "alive": status["generations"]["alive"], "worlds": len(status["worlds"])}


def bad(name: str):
    return build_folder() / f"tests/data/swap/bad_{name}.so"


# ---- A trial in a process of its own ----

@pytest.mark.parametrize("sin, said", [
    ("crash", "'create' ended"), ("abort", "'create' ended"),
    ("hang", "'create' was not over"), ("memory", "'create' ended"),
    ("constructor_crash", "code when it is loaded"), ("constructor_hang", "code when it is loaded")])
def test_what_crashes_or_hangs_does_so_elsewhere(make_swappable, plugins, sin, said):
    if sin == "memory" and not unmaps():
        pytest.skip("a process with sanitizers has no limit of memory")
    if sin.startswith("constructor") and not unmaps():
        said = "'load' "  # such a host lets constructors pass, and the trial finds them
    shop = make_swappable(limits='trial = "2s"').start()
    before = state(shop)
    load = Load(shop)
    load.add(load.keep_alive, 2).start()
    plugins.put("swap", bad(sin))
    answer = ask(shop, "apply")
    load.stop()
    assert not answer["ok"] and answer["step"] == "build", answer
    assert "swap.so" in answer["text"] and said in answer["text"], answer["text"]
    if sin == "crash" and unmaps():
        assert "SIGSEGV" in answer["text"]
    assert load.failures == [] and load.versions == {"1"}
    assert state(shop) == before
    plugins.swap(2)
    assert ask(shop, "apply")["ok"]
    assert Client(shop).get("/swap/now/1").text[0] == "2"
    wait_quiet(shop)
    assert shop.stop() == 0


def test_what_was_tried_is_not_tried_again(make_swappable, plugins):
    shop = make_swappable().start()

    def trials() -> int:
        return int(next(line.split()[-1] for line in metrics(shop).splitlines()
                        if line.startswith("stoa_plugin_trials_total ")))

    first = trials()
    assert first == len(ask(shop, "status")["plugins"])
    assert ask(shop, "apply")["ok"] and trials() == first
    plugins.swap(2)
    assert ask(shop, "apply")["ok"] and trials() == first + 1
    plugins.swap(1)
    assert ask(shop, "apply")["ok"] and trials() == first + 1


def metrics(shop) -> str:
    import socket
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(shop.data / "control.sock"))
        s.sendall(b"metrics")
        return b"".join(iter(lambda: s.recv(65536), b"")).decode()
