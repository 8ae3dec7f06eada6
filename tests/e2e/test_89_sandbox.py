"""A plugin in a sandbox may do what it likes: nobody else notices, and nothing gets out.
SPDX-License-Identifier: Apache-2.0"""
import errno
import http.client
import os
import shutil
import signal
import threading
import time

import pytest
from support.client import Client, Guest, new_email
from support.control import apply, ask, edit, metric, serving, wait_until
from support.database import run_sql
from support.mail import wait_for_mail
from support.shop import (CLUSTER, PLUGINS, ROOT, build_folder, collect_plugins, free_ports,
                          node_text)
from support.swaps import unmaps, wait_in_flight

pytestmark = pytest.mark.skipif(
    not unmaps() or not (build_folder() / "tests/data/sin/sin.so").exists(),
    reason="the sins are x86-64 calls; a host with sanitizers does not confine")
GRANT = 'grant = { "sql", "cache", "call:product" }'


@pytest.fixture
def make_sinful(make_shop, tmp_path):
    """A shop with the plugin `sin` in a sandbox, others where the run puts them."""
    plugins = collect_plugins(tmp_path / "plugins")
    shutil.copy(build_folder() / "tests/data/sin/sin.so", plugins)
    migrations = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", migrations)
    (migrations / "sin").mkdir()
    (migrations / "sin/0001_sin.sql").write_text("CREATE TABLE sin_row (id TEXT PRIMARY KEY);\n")

    def make(settings: str = f"{GRANT}, sandbox = {{ cpu = '500ms' }}", place: str = "sandbox",
             extra: str = "", **options):
        if "trusted" not in settings:
            settings += ", trusted = false"
        more = f'plugin_path = "{plugins}", migration_path = "{migrations}", {extra}'
        where = f"place = '{place}', " if place else ""
        return make_shop(plugins=f"sin = {{ {where}{settings} }}", more=more, **options)

    return make


@pytest.fixture
def sinful(make_sinful):
    return make_sinful().start()


def status(shop) -> dict:
    return next(p for p in ask(shop, "status")["plugins"] if p["name"] == "sin")["sandbox"]


def wait_deaths(shop, count: int) -> dict:
    wait_until(lambda: status(shop)["deaths"] >= count, lambda: str(status(shop)))
    return status(shop)


class Others:
    """Visitors of the rest of the shop, meanwhile."""

    def __init__(self, shop):
        self.shop, self.failures, self.count, self.stopping = shop, [], 0, False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        self._ask_two()
        return self

    def _run(self):
        client = Client(self.shop)
        while not self.stopping:
            try:
                answer = client.get("/api/v1/products")
                if answer.status != 200 or len(answer.json["items"]) == 0:
                    self.failures.append(answer.status)
            except (OSError, http.client.HTTPException) as problem:
                self.failures.append(repr(problem))
            self.count += 1

    def _ask_two(self):
        """Of two, one has begun since now."""
        wanted = self.count + 2
        wait_until(lambda: self.count >= wanted, "the rest of the shop does not answer")

    def __exit__(self, kind, *_):
        if kind is None:
            self._ask_two()
        self.stopping = True
        self.thread.join()
        assert self.failures == [] and self.count > 0, (self.failures[:5], self.count)


# ---- Dying ----

@pytest.mark.parametrize("sin", ["null", "assert", "overflow", "loop", "exit", "memory", "exec",
                                 "garbage", "often"])
def test_only_its_own_request_fails(sinful, sin):
    pid = status(sinful)["pid"]
    with Others(sinful):
        answer = Client(sinful).get(f"/sin/{sin}")
        assert answer.status == 503, answer.text
        assert answer.headers["retry-after"]
        assert wait_deaths(sinful, 2)["pid"] != pid  # the first, and the second try of a GET
        assert Client(sinful).get("/sin/innocent").json == {"result": 7}
    assert sinful.is_running()


def test_who_floods_the_host_is_told_so(sinful):
    assert Client(sinful).get("/sin/flood").status == 503
    assert wait_deaths(sinful, 2)["last_death"] == "it sends what nobody asked for"


def test_a_fresh_child_serves_within_a_second(sinful):
    """The best of three: a machine that is busy elsewhere for a moment is not the shop's fault."""
    client, took = Client(sinful), []
    assert client.get("/sin/innocent").status == 200
    for _ in range(3):
        assert client.post("/sin/null", {}).status == 503
        before = time.monotonic()
        assert client.get("/sin/innocent").json == {"result": 7}
        took.append(time.monotonic() - before)
    assert min(took) < 1, took


def test_what_is_safe_is_run_again(sinful):
    with Others(sinful):
        assert Client(sinful).get("/sin/once/a").json == {"result": 1}
    assert status(sinful)["deaths"] == 1


def test_requests_beside_the_sinner_are_run_again(sinful):
    answers, ended = [], threading.Event()

    def ask_on() -> None:
        while not ended.is_set():
            answers.append(Client(sinful).get("/sin/slow").status)

    threads = [threading.Thread(target=ask_on) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        wait_in_flight(sinful, 4)  # the others are in there as well, or come while it is down
        assert Client(sinful).post("/sin/null", {}).status == 503
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert len(answers) >= 8 and set(answers) == {200}, answers


def test_without_a_key_nothing_is_done_twice_and_nothing_by_half(sinful):
    client = Client(sinful)
    assert client.post("/sin/tx", {}).status == 503
    assert client.get("/sin/rows").json == {"result": 0}
    assert client.post("/sin/commit", {}).status == 503
    assert client.get("/sin/rows").json == {"result": 1}


def test_with_a_key_the_second_try_finds_what_the_first_has_made(sinful):
    client = Client(sinful)
    answer = client.post("/sin/commit", {}, idempotency_key="a-key-that-nobody-guesses")
    assert answer.status == 200 and answer.json["id"].startswith("row_"), answer.text
    assert client.get("/sin/rows").json == {"result": 1}
    again = client.post("/sin/commit", {}, idempotency_key="a-key-that-nobody-guesses")
    assert again.json == answer.json and client.get("/sin/rows").json == {"result": 1}


def test_after_five_deaths_it_is_left_alone(sinful):
    client = Client(sinful)
    for deaths in range(1, 6):
        assert client.post("/sin/null", {}).status == 503
        wait_deaths(sinful, deaths)
    now = status(sinful)
    assert now["circuit"] == "open" and now["state"] == "down" and "signal 11" in now["last_death"]
    before = time.monotonic()
    assert client.get("/sin/innocent").status == 503
    assert time.monotonic() - before < 5  # at once: nobody waits for it
    assert client.get("/api/v1/products").status == 200
    assert ask(sinful, "apply")["ok"]  # it does not take over what is dead
    assert client.get("/sin/innocent").json == {"result": 7}
    assert status(sinful)["circuit"] == "closed" and status(sinful)["pid"] != now["pid"]


def test_events_wait_for_one_that_is_left_alone(make_shop):
    shop = make_shop(plugins='notification = { place = "sandbox" }').start()

    def child() -> dict:
        return next(p for p in ask(shop, "status")["plugins"] if p["name"] == "notification")["sandbox"]

    for deaths in range(1, 6):
        os.kill(child()["pid"], signal.SIGKILL)
        wait_until(lambda: child()["deaths"] == deaths and (deaths == 5 or child()["pid"]), lambda: str(child()))
    assert child()["circuit"] == "open"
    email = new_email()
    guest = Guest(shop)
    assert guest.add("AEG-MUG").status == 200
    assert guest.check_out(email=email).status == 201
    tries = set()

    def is_put_off_again() -> bool:
        rows = run_sql(shop, "SELECT next_at, attempt, state, error FROM stoa_bus WHERE error <> ''")
        assert all(row[1:] == ("0", "ready", "PLUGIN") for row in rows), rows
        tries.update(row[0] for row in rows)
        return len(tries) > 5  # more often than one that fails is tried

    wait_until(is_put_off_again, lambda: str(tries))
    assert ask(shop, "apply")["ok"]
    assert len(wait_for_mail(shop, email)) == 1


# ---- Breaking out ----

@pytest.mark.parametrize("sin", ["fork", "open", "connect", "kill", "code"])
def test_the_kernel_denies_it(sinful, sin):
    assert Client(sinful).get(f"/sin/{sin}").json == {"result": -errno.EPERM}
    assert status(sinful)["deaths"] == 0


def test_memory_and_descriptors_have_an_end(sinful):
    client = Client(sinful)
    assert 0 < client.get("/sin/map").json["result"] < 300
    assert client.get("/sin/files").json["result"] < 64
    with Others(sinful):
        assert client.get("/sin/innocent").status == 200


def test_a_child_has_nothing_of_the_host(sinful):
    pid = status(sinful)["pid"]
    if os.geteuid() == 0:
        assert open(f"/proc/{pid}/environ", "rb").read() == b""
    else:  # it is not dumpable, which keeps its own user off, too
        with pytest.raises(PermissionError):
            open(f"/proc/{pid}/environ", "rb").read()
    lines = open(f"/proc/{pid}/status").read()
    assert "NoNewPrivs:\t1" in lines and "Seccomp:\t2" in lines
    maps = open(f"/proc/{ask(sinful, 'status')['pid']}/maps").read()
    assert "/memfd:sin" not in maps  # the host never loaded it


# ---- In the server's process ----

@pytest.mark.in_process
def test_who_stalls_a_loop_there_is_named(make_sinful):
    shop = make_sinful(place="process").start()

    def is_told() -> list:
        """Who looks needs a moment of a processor twice in one such request."""
        assert Client(shop).get("/sin/busy").json == {"result": 0}
        return [l for l in list(shop.lines) if l.get("message") == "a plugin keeps a loop busy"]

    line = wait_until(is_told)[0]
    assert line["plugin"] == "sin" and line["generation"] > 0 and line["ms"] >= 100


# ---- Who goes there ----

def plugin_of(shop) -> dict:
    return next(p for p in ask(shop, "status")["plugins"] if p["name"] == "sin")


@pytest.mark.in_process
@pytest.mark.parametrize("settings, place", [
    (f"{GRANT}, trusted = false", "sandbox"), ("trusted = true", "process"),
    ("place = 'process', trusted = false", "process"), ("place = 'sandbox', trusted = true", "sandbox")])
def test_what_did_not_come_with_the_binary_is_confined_unless_told(make_sinful, settings, place):
    shop = make_sinful(settings=settings, place="").start()
    sin = plugin_of(shop)
    assert sin["place"] == place and ("why" in sin) == (place == "sandbox")
    assert Client(shop).get("/sin/innocent").json == {"result": 7}
    others = {p["name"]: p["place"] for p in ask(shop, "status")["plugins"] if p["name"] != "sin"}
    assert set(others.values()) == {"process"}


@pytest.mark.in_process
def test_a_folder_of_further_plugins_needs_no_copies_of_the_rest(make_shop, tmp_path):
    shutil.copy(build_folder() / "tests/data/sin/sin.so", tmp_path)
    shop = make_shop(plugins=f"sin = {{ {GRANT} }}", seed=False,
                     more=f'plugin_path = "{tmp_path}", trust = {{ all = false }},').start()
    places = {p["name"]: p["place"] for p in ask(shop, "status")["plugins"]}
    assert places.pop("sin") == "sandbox" and set(places.values()) == {"process"}


@pytest.mark.in_process
def test_what_came_with_the_binary_does_so_after_a_crash_too(make_shop):
    """The next worker starts from kept copies, whose folder says nothing of where they came from."""
    shop = make_shop().start()
    before = shop.worker()
    os.kill(before, signal.SIGKILL)
    serving(shop, before)
    assert {p["place"] for p in ask(shop, "status")["plugins"]} == {"process"}


def crash_three_times(shop):
    for _ in range(3):
        worker = shop.worker()
        with pytest.raises((OSError, http.client.HTTPException)):
            Client(shop).get("/sin/null")
        serving(shop, worker)


@pytest.mark.in_process
def test_who_crashes_three_times_is_put_into_a_sandbox(make_sinful):
    shop = make_sinful(place="process").start()
    assert plugin_of(shop)["place"] == "process"
    crash_three_times(shop)
    sin = plugin_of(shop)
    assert sin["place"] == "sandbox" and "3 crashes within 60 s" in sin["why"], sin
    told = ask(shop, "status")["supervisor"]["left_out"]
    assert [(t["plugin"], t["place"]) for t in told] == [("sin", "sandbox")]
    worker = shop.worker()
    with Others(shop):
        assert Client(shop).get("/sin/innocent").json == {"result": 7}
        assert Client(shop).get("/sin/null").status == 503
        assert Client(shop).get("/sin/innocent").json == {"result": 7}
    assert shop.worker() == worker
    assert ask(shop, "apply")["ok"]  # another chance
    assert plugin_of(shop)["place"] == "process"
    assert ask(shop, "status")["supervisor"]["left_out"] == []


@pytest.mark.in_process
def test_who_cannot_be_put_there_is_left_out(make_sinful):
    env = {"STOA_FAULT": "sandbox.no_seccomp=error:PLUGIN"}
    shop = make_sinful(place="process", env=env).start()
    crash_three_times(shop)
    sin = plugin_of(shop)
    assert sin["place"] == "left out"
    assert "3 crashes" in sin["left_out"] and "there is no seccomp" in sin["left_out"]
    assert Client(shop).get("/sin/innocent").status == 503
    assert Client(shop).get("/api/v1/products").status == 200


# ---- Grants ----

def test_what_is_not_granted_is_denied_and_logged(sinful):
    client = Client(sinful)
    assert client.get("/sin/product").status == 200
    assert client.get("/sin/call").json == {"error": "FORBIDDEN"}
    line = sinful.wait_log(lambda l: l.get("message") == "a plugin asked for what it was not granted")
    assert line["grant"] == "call:user" and line["plugin"] == "sin"
    assert client.get("/sin/mail").json == {"error": "FORBIDDEN"}
    assert client.get("/sin/users").json["error"] != "OK"  # sql is granted, others' tables are not
    assert metric(sinful, "grants_denied_total") == 2


def test_what_no_visitor_may_ask_is_a_grant_of_its_own(sinful):
    assert Client(sinful).get("/sin/product").status == 200  # call:product
    assert Client(sinful).get("/sin/internal").json == {"error": "FORBIDDEN"}
    line = sinful.wait_log(lambda l: l.get("message") == "a plugin asked for what it was not granted")
    assert line["grant"] == "internal:product" and line["plugin"] == "sin"


def job_said(shop) -> str:
    """Once it has run."""
    return wait_until(lambda: (answer := Client(shop).get("/sin/job")).status == 200 and answer.json["error"])


@pytest.mark.parametrize("settings, said", [("trusted = false", "FORBIDDEN"), ("trusted = true", "OK")])
def test_the_jobs_of_a_stranger_are_not_staff(make_sinful, settings, said):
    assert job_said(make_sinful(settings=f"{GRANT}, {settings}").start()) == said


def test_a_stranger_sees_no_credentials_and_makes_none(make_sinful):
    """Who holds a session's token can act as that visitor."""
    def steal(settings: str):
        shop = make_sinful(settings=f"{GRANT}, {settings}").start()
        sid = f"sid-{shop.port}"
        reply = Client(shop).get(f"/sin/steal?cookie={sid}%3Dmine",
                                 cookie=f"a=1; {sid}=secret; b=2", authorization="Bearer secret")
        return reply.json["cookie"], reply.json["authorization"] or "", \
            [v for n, v in reply.headers.items() if n.lower() == "set-cookie"]
    assert steal("trusted = false") == ("a=1; b=2", "", [])
    cookie, authorization, made = steal("trusted = true")
    assert "secret" in cookie and authorization == "Bearer secret" and made


def test_a_grant_that_is_missing_refuses_the_load(make_sinful):
    shop = make_sinful(settings='grant = { "sql", "cache" }', seed=False)
    shop.cli("migrate")
    done = shop.cli("seed", check=False)
    assert done.returncode == 78 and "call:product" in done.stderr


# ---- Kernels that cannot ----

@pytest.mark.parametrize("lack", ["landlock", "seccomp"])
def test_a_kernel_that_cannot_confine_refuses_it_unless_told(make_sinful, lack):
    env = {"STOA_FAULT": f"sandbox.no_{lack}=error:PLUGIN"}
    shop = make_sinful(settings=GRANT, env=env)
    with pytest.raises(AssertionError, match="the shop ended"):
        shop.start()
    assert f"there is no {lack}" in shop.talk() and "best_effort" in shop.talk()


@pytest.mark.in_process  # of the other plugins: they have no best_effort
@pytest.mark.parametrize("lack", ["landlock", "seccomp"])
def test_best_effort_takes_what_there_is(make_sinful, lack):
    env = {"STOA_FAULT": f"sandbox.no_{lack}=error:PLUGIN"}
    shop = make_sinful(settings=GRANT + ", sandbox = { best_effort = true }", env=env).start()
    now = status(shop)
    assert now[lack] is False and now["landlock"] != now["seccomp"]
    denied = Client(shop).get("/sin/open").json["result"]
    assert denied == (-errno.EPERM if lack == "landlock" else -errno.EACCES)


# ---- Worlds ----

@pytest.mark.in_process  # of the other plugins: their sandboxes are none of this test's
def test_a_node_has_no_sandbox_of_what_runs_elsewhere(make_sinful):
    ports = free_ports(2)
    nodes = node_text("here", ports[0], PLUGINS) + ", " + node_text("there", ports[1], ["sin"])
    shop = make_sinful(nodes=nodes, extra=CLUSTER, seed=False)
    shop.node = "here"
    shop.cli("migrate")
    shop.start()
    told = ask(shop, "status")
    assert told["generations"]["sandboxes"] == 0
    sin = next(p for p in told["plugins"] if p["name"] == "sin")
    assert not sin["here"] and "sandbox" not in sin
    assert Client(shop).get("/sin/innocent").status == 503  # its routes are known: no 404
    text = shop.config.read_text()
    there = node_text("there", ports[1], ["sin"])
    shop.config.write_text(text.replace(f", {there}", f", {there.replace('sin', 'user')}").replace(
        '"storefront" }', '"storefront", "sin" }'))
    answer = ask(shop, "apply")  # the plugin moves here
    assert answer["ok"], answer
    assert Client(shop).get("/sin/innocent").json == {"result": 7}
    shop.config.write_text(text)
    assert ask(shop, "apply")["ok"]  # and away
    assert Client(shop).get("/sin/innocent").status == 503
    wait_until(lambda: ask(shop, "status")["generations"]["sandboxes"] == 0, "its sandbox is left")


def test_worlds_own_their_children(sinful):
    old = status(sinful)["pid"]
    edit(sinful, "cpu = '500ms'", "cpu = '600ms'")
    with Others(sinful):
        apply(sinful)
        assert status(sinful)["pid"] != old
        wait_until(lambda: is_gone(old), "the old child is left")
        assert Client(sinful).get("/sin/innocent").status == 200


def is_gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in open(f"/proc/{pid}/status").read()
    except OSError:
        return True


def test_no_child_outlives_the_shop(sinful):
    pid = status(sinful)["pid"]
    sinful.kill()
    wait_until(lambda: is_gone(pid), "the child outlived the shop")
