"""Accounts: two changes at once, many sessions, a busy server. SPDX-License-Identifier: Apache-2.0"""
import hashlib

import pytest
from support.client import Client, new_email
from support.database import run_sql
from support.shop import Shop

PASSWORD, OTHER = "correct horse battery", "another horse battery"
SESSIONS_MAX = 50
ME = "/api/v1/users/me"


def sign_up(shop: Shop) -> dict:
    who = {"email": new_email(), "password": PASSWORD, "name": "Ada"}
    assert Client(shop).post("/api/v1/users", who).status == 201
    return who


def log_in(shop: Shop, who: dict, password: str = PASSWORD):
    return Client(shop).post("/api/v1/sessions", {"email": who["email"], "password": password})


def session(shop: Shop, who: dict) -> dict:
    answer = log_in(shop, who)
    assert answer.status == 201, answer.text
    return {"authorization": f"Bearer {answer.json['session']}"}


def change(shop: Shop, headers: dict, **body):
    return Client(shop).send("PATCH", ME, body, **headers)


def add_sessions(shop: Shop, who: dict, count: int) -> None:
    """Behind the shop's back: each login costs a tenth of a second."""
    rows = ", ".join(f"('{i:064}', {i + 1})" for i in range(count))
    run_sql(shop, f"WITH n(id, at) AS (VALUES {rows}) INSERT INTO user_session (id, user_id, created_at, expires_at) "
                  f"SELECT n.id, a.id, n.at, 9999999999999 FROM n, user_account a WHERE a.email = '{who['email']}'")


def count_sessions(shop: Shop, who: dict) -> int:
    return int(run_sql(shop, "SELECT COUNT(*) FROM user_session s JOIN user_account a ON a.id = s.user_id "
                             f"WHERE a.email = '{who['email']}'")[0][0])


def on(shop: Shop, when: str, effect: str) -> None:
    """A trigger of the database: what somebody else does at exactly that moment."""
    if shop.database:
        row = "NEW" if when.startswith("BEFORE UPDATE") else "OLD"
        run_sql(shop, f"CREATE FUNCTION moment() RETURNS trigger LANGUAGE plpgsql AS "
                      f"$$BEGIN {effect}; RETURN {row}; END$$")
        run_sql(shop, f"CREATE TRIGGER moment {when} FOR EACH ROW EXECUTE FUNCTION moment()")
    else:
        run_sql(shop, f"CREATE TRIGGER moment {when} BEGIN {effect}; END")


@pytest.fixture
def alone(make_shop):
    shop = make_shop().start()
    yield shop
    assert shop.stop() == 0


def test_a_new_password_ends_all_other_sessions_however_many_there_are(alone):
    who = sign_up(alone)
    mine, other = session(alone, who), session(alone, who)
    client = Client(alone)
    assert client.get(ME, **other).status == 200  # this connection's loop remembers it
    add_sessions(alone, who, 1200)
    answer = change(alone, mine, password=OTHER, current_password=PASSWORD)
    assert answer.status == 200, answer.text
    assert client.get(ME, **other).status == 401
    assert Client(alone).get(ME, **mine).status == 200
    assert count_sessions(alone, who) == 1
    assert log_in(alone, who, PASSWORD).status == 401
    assert log_in(alone, who, OTHER).status == 201


def test_a_login_past_the_limit_ends_the_oldest_session(alone):
    who = sign_up(alone)
    oldest = session(alone, who)
    client = Client(alone)
    assert client.get(ME, **oldest).status == 200
    name = hashlib.sha256(oldest["authorization"].split()[1].encode()).hexdigest()
    run_sql(alone, f"UPDATE user_session SET created_at = 0 WHERE id = '{name}'")
    add_sessions(alone, who, SESSIONS_MAX - 1)
    assert count_sessions(alone, who) == SESSIONS_MAX
    newest = session(alone, who)
    assert count_sessions(alone, who) == SESSIONS_MAX
    assert client.get(ME, **oldest).status == 401
    assert client.get(ME, **newest).status == 200


def test_a_new_name_does_not_write_the_password_that_was_read_before(alone):
    who = sign_up(alone)
    mine = session(alone, who)
    refusal = "RAISE EXCEPTION 'the password'" if alone.database else "SELECT RAISE(ABORT, 'the password')"
    on(alone, "BEFORE UPDATE OF password_hash ON user_account", refusal)
    answer = change(alone, mine, name="Ada Lovelace")
    assert answer.status == 200 and answer.json["name"] == "Ada Lovelace", answer.text
    assert Client(alone).get(ME, **mine).json["name"] == "Ada Lovelace"


def test_a_session_that_has_just_ended_changes_no_name(alone):
    who = sign_up(alone)
    stolen = session(alone, who)
    client = Client(alone)
    assert client.get(ME, **stolen).status == 200  # this connection's loop remembers it
    run_sql(alone, "DELETE FROM user_session")
    assert client.send("PATCH", ME, {"name": "Mallory"}, **stolen).status == 401
    assert run_sql(alone, f"SELECT name FROM user_account WHERE email = '{who['email']}'") == [("Ada",)]


def test_of_two_new_passwords_at_once_the_later_is_told(alone):
    """The other one is written after the present password was found right."""
    who = sign_up(alone)
    mine, other = session(alone, who), session(alone, who)
    on(alone, "AFTER DELETE ON user_login_attempt", "UPDATE user_account SET password_hash = 'of the other'")
    answer = change(alone, mine, password=OTHER, current_password=PASSWORD)
    assert answer.status == 409 and answer.json["code"] == "CONFLICT", answer.text
    assert run_sql(alone, f"SELECT password_hash FROM user_account WHERE email = '{who['email']}'") == \
        [("of the other",)]
    assert Client(alone).get(ME, **other).status == 200


def test_a_login_that_a_new_password_overtakes_is_refused(alone):
    who = sign_up(alone)
    on(alone, "AFTER DELETE ON user_login_attempt", "UPDATE user_account SET password_hash = 'of the other'")
    assert log_in(alone, who).status == 401
    assert count_sessions(alone, who) == 0


def test_a_busy_server_is_not_a_wrong_password(make_shop):
    shop = make_shop().start(env={"STOA_FAULT": "password.verify=error:BUSY@2!"})
    who = sign_up(shop)
    mine = session(shop, who)
    answer = change(shop, mine, password=OTHER, current_password=PASSWORD)
    assert answer.status == 503 and answer.json["code"] == "BUSY", answer.text
    wrong = change(shop, mine, password=OTHER, current_password=OTHER)
    assert wrong.status == 403 and wrong.json["field"] == "current_password", wrong.text
    assert change(shop, mine, password=OTHER, current_password=PASSWORD).status == 200
    assert shop.stop() == 0


def test_who_is_locked_out_is_told_for_how_long(alone):
    who = sign_up(alone)
    for _ in range(10):
        assert log_in(alone, who, OTHER).status == 401
    answer = log_in(alone, who)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) == answer.json["retry_after"] > 60
