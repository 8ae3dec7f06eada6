"""Swapping a plugin again and again under the strict load, and what is counted before and after.
SPDX-License-Identifier: Apache-2.0"""
import os
import pathlib
import re
import statistics
import time

from support.shop import Shop
from support.strict import Strict, complaints
from support.swaps import Plugins, ask, wait_quiet


def make_shop(folder: pathlib.Path) -> tuple[Shop, Plugins]:
    """A seeded shop with the plugin that is swapped, not started yet."""
    folder.mkdir(exist_ok=True)
    plugins = Plugins(folder / "plugins")
    shop = Shop(folder, sql="sqlite", plugins="swap = {}", more=f'plugin_path = "{plugins.folder}",',
                limits="connections_per_address = 1000")
    return shop.prepare(), plugins


def link(path: pathlib.Path) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:  # closed since it was listed
        return ""


def counters(shop: Shop) -> dict:
    """What has to be back when all is quiet. Memory in KiB."""
    status = ask(shop, "status")
    proc = pathlib.Path(f"/proc/{status.get('worker') or shop.process.pid}")
    maps = proc.joinpath("maps").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in proc.joinpath("status").read_text().splitlines())
    # Readers of the database open it when they are first needed; config.lua bounds them.
    open_files = [f for f in map(link, proc.joinpath("fd").iterdir()) if str(shop.data) not in f]
    kept = list((shop.data / "revisions").rglob("*"))
    return {"plugins_mapped": sum("memfd:" in line for line in maps), "maps": len(maps),
            "fds": len(open_files), "threads": int(fields["Threads"]),
            "rss_kib": int(fields["VmRSS"].split()[0]), "worlds": len(status["worlds"]),
            "generations": status["generations"]["alive"], "kept": status["generations"]["kept"],
            "revision_files": len(kept),
            "revision_kib": sum(f.stat().st_size for f in kept if f.is_file()) // 1024}


class Swapper:
    """Alternates two versions; one apply after the other, none sooner than every_ms after the last."""

    def __init__(self, shop: Shop, plugins: Plugins, every_ms: float = 20):
        self.shop, self.plugins, self.every_ms = shop, plugins, every_ms
        self.done, self.answers, self.began = 0, [], time.monotonic()
        self.due = self.began

    def swap(self) -> dict:
        time.sleep(max(0.0, self.due - time.monotonic()))
        self.due = time.monotonic() + self.every_ms / 1000
        self.plugins.swap(2 - self.done % 2)
        return self.apply()

    def apply(self) -> dict:
        answer = ask(self.shop, "apply")
        if not answer["ok"]:
            raise AssertionError(answer)
        self.done += 1
        with self.shop.changed:  # a line a request: ten thousand swaps have millions
            del self.shop.lines[:-1000]
        self.answers.append(answer)
        return answer

    def interval_ms(self) -> float:
        return (time.monotonic() - self.began) * 1000 / max(1, self.done)

    def steps_ms(self) -> dict:
        """Medians."""
        names = [*self.answers[0]["steps_us"]]
        steps = {n: statistics.median(a["steps_us"][n] for a in self.answers) / 1000 for n in names}
        return {**steps, "total": statistics.median(a["total_us"] for a in self.answers) / 1000}


def touch_every_plugin(shop: Shop, number: int) -> None:
    """The shop's name: each plugin is loaded anew with it, as with every apply."""
    text = shop.config.read_text()
    shop.config.write_text(re.sub(r'name = "Test Shop[^"]*"', f'name = "Test Shop {number}"', text))


def settle(shop: Shop, plugins: Plugins) -> dict:
    """Whatever is filled once is filled: counters from here on."""
    swapper = Swapper(shop, plugins, 0)
    load = Strict(shop.port, "--seconds", 2, "--rate", 1000)
    while load.process.poll() is None:
        swapper.swap()
    assert complaints(load.wait()) == {}
    wait_quiet(shop, 60)
    return counters(shop)


def swaps_under_load(shop: Shop, plugins: Plugins, swaps: int, every_ms: float = 20,
                     rate: int = 2500, change=None) -> dict:
    """Figures of the load, of the applies, and the counters before and after. change(n): what each
    apply is to find; the other version of the plugin otherwise."""
    before = settle(shop, plugins)
    load = Strict(shop.port, "--seconds", 24 * 3600, "--rate", rate)
    swapper = Swapper(shop, plugins, every_ms)
    try:
        while swapper.done < swaps and load.process.poll() is None:
            if change:
                change(swapper.done)
                swapper.apply()
            else:
                swapper.swap()
        interval = swapper.interval_ms()
    finally:
        figures = load.stop()
    wait_quiet(shop, 60)
    return {"swaps": swapper.done, "interval_ms": interval, "steps_ms": swapper.steps_ms(),
            "load": figures, "complaints": complaints(figures), "told": load.told,
            "per_second": figures["requests"] / figures["seconds"],
            "before": before, "after": counters(shop)}


def growth(result: dict, memory_kib: int) -> dict:
    """What did not come back: more of anything that is counted, or more memory than memory_kib."""
    before, after = result["before"], result["after"]
    exact = ["plugins_mapped", "fds", "threads", "worlds", "generations", "kept"]
    grown = {n: (before[n], after[n]) for n in exact if after[n] > before[n]}
    if after["rss_kib"] > before["rss_kib"] + memory_kib:
        grown["rss_kib"] = (before["rss_kib"], after["rss_kib"])
    return grown


def tail_ratio(shop: Shop, plugins: Plugins, rounds: int, seconds: float) -> dict:
    """p99 of the untouched route with swaps over that without, in alternating rounds."""
    ratios = []
    for _ in range(rounds):
        quiet = Strict(shop.port, "--seconds", seconds, "--polite", "--rate", 1000).wait()
        load = Strict(shop.port, "--seconds", seconds, "--polite", "--rate", 1000)
        swapper = Swapper(shop, plugins)
        while load.process.poll() is None:
            swapper.swap()
        swapped = load.wait()
        assert not complaints(quiet) and not complaints(swapped), (quiet, swapped)
        ratios.append(swapped["untouched_p99_us"] / max(1, quiet["untouched_p99_us"]))
    return {"ratios": ratios, "median": statistics.median(ratios)}
