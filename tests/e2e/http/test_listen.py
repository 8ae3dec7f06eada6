"""Addresses. SPDX-License-Identifier: Apache-2.0"""
import socket
import subprocess

import pytest
import wire
from support.shop import free_ports

pytestmark = pytest.mark.short


def test_a_busy_port_is_named_with_the_way_out(serve):
    first = serve()
    port = first.address[1]
    with pytest.raises(RuntimeError) as error:
        serve(listen=f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port} is in use" in str(error.value)
    assert f"stop the other program, or use --port {port + 1}" in str(error.value)
    assert first.get("/hello").status == 200


def test_a_port_of_another_program_is_busy_even_if_it_would_share(serve):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(RuntimeError, match="is in use"):
            serve(listen=f"127.0.0.1:{other.getsockname()[1]}", loops=2)


def test_two_starts_at_once_never_share_a_port(tmp_path):
    port, = free_ports(1)
    argv = [str(wire.TEST_SERVER), "--listen", f"127.0.0.1:{port}", "--loops", "2"]
    both = [subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for _ in range(4)]
    lines = [p.stderr.readline() for p in both]
    for p in both:
        p.kill()
        p.wait()
    assert sum(line.startswith("listening") for line in lines) == 1, lines
    assert sum("is in use" in line for line in lines) == 3, lines


def test_port_zero_is_one_port_for_all_loops(serve):
    server = serve(loops=4)
    for _ in range(40):
        assert server.get("/hello").status == 200
    for _ in range(40):
        assert server.get("/wait?ms=1").status == 200


def test_a_used_port_can_be_taken_again_at_once(serve):
    address = f"127.0.0.1:{free_ports(1)[0]}"  # nobody else takes it meanwhile
    first = serve(listen=address)
    with first.connect() as c:
        c.get("/hello", headers="Connection: close\r\n")
        first.term()
        first.process.wait(60)
    assert serve(listen=address).get("/hello").status == 200


def test_all_addresses_of_both_families(serve):
    server = serve(listen=":0")
    port = server.address[1]
    assert wire.Connection(("127.0.0.1", port)).get("/echo").body.count(b"client=127.0.0.1\n") == 1
    if socket.has_ipv6:
        try:
            assert b"client=::1\n" in wire.Connection(("::1", port)).get("/echo").body
        except OSError:
            pytest.skip("no IPv6 here")


def test_several_listeners(serve):
    server = serve(listen=["127.0.0.1:0", "127.0.0.2:0"])
    wire.eventually(lambda: server.errors)
    second = server.errors[0].split()[1].rsplit(":", 1)
    assert wire.Connection((second[0], int(second[1]))).get("/hello").status == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "nohost:80",
                                     "::1:80", "[127.0.0.1]:80", "127.0.0.1:80x", ""])
def test_what_is_no_address_is_said_to_be_none(serve, address):
    with pytest.raises(RuntimeError, match="is no address to listen on"):
        serve(listen=address)


def test_an_address_of_another_machine(serve):
    with pytest.raises(RuntimeError, match="is no address of this machine"):
        serve(listen="192.0.2.1:0")


def test_broken_proxies_and_policies_are_named(serve):
    with pytest.raises(RuntimeError, match='trusted_proxies: "10.0.0.1/8" is no network'):
        serve(proxy="10.0.0.1/8")
    with pytest.raises(RuntimeError, match="cannot stand in a content security policy"):
        serve(form_action="https://a; script-src *")
