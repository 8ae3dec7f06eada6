"""Swapping a plugin again and again under the strict load, and what is counted before and after.
SPDX-License-Identifier: Apache-2.0"""
import pathlib
import re
import statistics
import threading
import time

from support.control import ask, metric, wait_until
from support.shop import Shop, build_folder
from support.strict import Strict, complaints
from support.swaps import Plugins, link, wait_quiet


QUARTERS = 4  # of a run: memory is looked at after each


def make_shop(folder: pathlib.Path) -> tuple[Shop, Plugins]:
    """A seeded shop of ten plugins with the one that is swapped, not started yet."""
    folder.mkdir(exist_ok=True)
    plugins = Plugins(folder / "plugins")
    plugins.put("crash", build_folder() / "tests/data/crash/crash.so")
    shop = Shop(folder, sql="sqlite", plugins="swap = {}, hello = {}, crash = {}", more=f'plugin_path = "{plugins.folder}",',
                limits="connections_per_address = 1000")
    return shop.prepare(), plugins


def percentile(values: list, part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


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
        self.await_turn()
        self.plugins.swap(2 - self.done % 2)
        return self.apply()

    def touch_largest(self) -> dict:
        """Other bits of the shop's largest plugin; the one that is swapped has 2 MiB of text to send."""
        self.await_turn()
        self.plugins.touch("order", self.done % 2)
        return self.apply()

    def touch(self) -> dict:
        """Every plugin has other bits: nothing of the world before serves on but the theme."""
        self.await_turn()
        self.plugins.touch_all(self.done % 2)
        return self.apply()

    def await_turn(self) -> None:
        """One that comes late does not hurry those after it but by one turn."""
        every = self.every_ms / 1000
        time.sleep(max(0.0, self.due - time.monotonic()))
        self.due = max(self.due, time.monotonic() - every) + every

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


def settle(shop: Shop, plugins: Plugins, touches: bool = False) -> dict:
    """Whatever is filled once is filled: counters from here on."""
    swapper = Swapper(shop, plugins, 0)
    load = Strict(shop.port, "--seconds", 2, "--rate", 1000)
    while load.process.poll() is None:
        swapper.touch() if touches else swapper.swap()
    assert complaints(load.wait()) == {}
    wait_quiet(shop)
    return counters(shop)


def resident_kib(shop: Shop) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{shop.worker()}/status").read_text())[1])


def wait_replies(shop: Shop, load: Strict, more: int) -> None:
    """Until there are so many more, or the load has ended."""
    wanted = metric(shop, "requests_total") + more
    wait_until(lambda: metric(shop, "requests_total") >= wanted or load.process.poll() is not None,
               "the load has no replies")


def counters_at_rest(shop: Shop, before: dict) -> dict:
    """Once nothing is more than before; or as they are after ten seconds. Something may be open for a moment."""
    until = time.monotonic() + 10
    while growth({"before": before, "after": (after := counters(shop))}, 1 << 40) and time.monotonic() < until:
        time.sleep(0.1)
    return after


def swaps_under_load(shop: Shop, plugins: Plugins, swaps: int, every_ms: float = 20,
                     rate: int = 2500, touches: bool = False) -> dict:
    """Figures of the load, of the applies, and the counters before and after. Each apply finds the
    other version of a plugin; touches: other bits of every plugin."""
    before = settle(shop, plugins, touches)
    load = Strict(shop.port, "--seconds", 24 * 3600, "--rate", rate)
    swapper = Swapper(shop, plugins, every_ms)
    resident = []
    try:
        while swapper.done < swaps and load.process.poll() is None:
            if swapper.done < 3:  # the load has come, and has seen each version
                wait_replies(shop, load, 100)
            swapper.touch() if touches else swapper.swap()
            if swapper.done % max(1, swaps // QUARTERS) == 0:
                resident.append(resident_kib(shop))
        interval = swapper.interval_ms()
        wait_replies(shop, load, 100)
    finally:
        figures = load.stop()
    wait_quiet(shop)
    return {"swaps": swapper.done, "interval_ms": interval, "steps_ms": swapper.steps_ms(),
            "total_p99_ms": percentile([a["total_us"] for a in swapper.answers], 0.99) / 1000,
            "load": figures, "complaints": complaints(figures), "told": load.told,
            "per_second": figures["requests"] / figures["seconds"],
            "resident_kib": resident, "before": before, "after": counters_at_rest(shop, before)}


def growth(result: dict, memory_kib: int) -> dict:
    """What did not come back: more of anything that is counted, or more memory than memory_kib.
    With samples of a long run: since its first quarter, in which the heap takes its shape."""
    before, after = result["before"], result["after"]
    exact = ["plugins_mapped", "fds", "threads", "worlds", "generations", "kept"]
    grown = {n: (before[n], after[n]) for n in exact if after[n] > before[n]}
    first = (result.get("resident_kib") or [before["rss_kib"]])[0]
    if after["rss_kib"] > first + memory_kib:
        grown["rss_kib"] = (first, after["rss_kib"])
    return grown


class Background(threading.Thread):
    """Changes something while `on` is set, until `ended`; problem is what stopped it before."""

    def __init__(self, change):
        super().__init__(daemon=True)
        self.change, self.problem = change, ""
        self.on, self.ended = threading.Event(), threading.Event()

    def run(self) -> None:
        try:
            while not self.ended.is_set():
                if self.on.wait(0.1):
                    self.change()
        except (AssertionError, OSError, ValueError) as error:
            self.problem = str(error)

    def end(self) -> None:
        self.ended.set()
        self.on.set()
        self.join(30)


def tail_ratio(shop: Shop, plugins: Plugins, rounds: int, seconds: float) -> dict:
    """p99 of a route that no swap touches: the median of windows in which a plugin of the shop is replaced
    over that of windows without, which take turns in one run of one load."""
    others = Strict(shop.port, "--seconds", 24 * 3600, "--polite", "--rate", 1500)
    watch = Strict(shop.port, "--seconds", 24 * 3600, "--only-untouched", "--connections", 8, "--rate", 1000,
                   "--every", seconds * 1000)
    swapper = Swapper(shop, plugins)
    swaps = Background(swapper.touch_largest)
    windows: list[dict] = []
    swaps.start()
    try:
        for window in watch.lines():
            if not window["untouched_p99_us"]:
                continue  # the machine stood still in all of it
            windows.append(window)
            if len(windows) > 2 * rounds:
                break
            (swaps.on.clear if swaps.on.is_set() else swaps.on.set)()
    finally:
        swaps.end()
        load = others.stop()
        watch.process.kill()
    assert not complaints(load) and not swaps.problem, (load, swaps.problem)
    p99 = [w["untouched_p99_us"] for w in windows]
    quiet, swapped = p99[2::2], p99[1::2]  # the first is of a load that begins
    return {"quiet_us": statistics.median(quiet), "swapped_us": statistics.median(swapped),
            "median": statistics.median(swapped) / max(1, statistics.median(quiet)),
            "ratios": [s / max(1, q) for q, s in zip(quiet, swapped)], "swaps": swapper.done}
