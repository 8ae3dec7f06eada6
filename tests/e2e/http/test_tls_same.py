"""What holds for plain connections holds over TLS: the same tests, with a server that has a certificate.
SPDX-License-Identifier: Apache-2.0"""
import pytest
import wire
from support.certificates import Certificate
from test_caps import *  # noqa: F401,F403
from test_drain import *  # noqa: F401,F403
from test_framing import *  # noqa: F401,F403
from test_requests import *  # noqa: F401,F403
from test_slow import *  # noqa: F401,F403


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def server(certificate, tmp_path_factory):
    server = wire.Server.start(tmp_path_factory.mktemp("http") / "log", certificate=certificate)
    yield server
    assert server.process.poll() is None, "".join(server.errors)
    assert server.metric("tls_handshakes_total") > 50
    server.stop()


# Left out: what sends plain bytes beside wire.Connection, expects that nothing is https, counts
# log lines, or connects to a loop that does not greet yet. test_tls.py has their like where TLS matters.
del (test_limits_that_change_are_never_mixed,  # noqa: F821
     test_a_loop_that_comes_when_the_end_has_begun_drains_as_well,  # noqa: F821
     test_one_that_leaves_lets_one_in, test_one_address_cannot_take_all_connections,  # noqa: F821
     test_clients_that_ask_and_leave_hold_nothing, test_a_half_closed_client_still_gets_its_answer,  # noqa: F821
     test_the_client_is_the_peer_whatever_it_says, test_a_trusted_proxy_is_believed,  # noqa: F821
     test_readers_that_drip_are_cut_and_slow_ones_are_not, test_clients_that_pipeline_take_turns)  # noqa: F821
