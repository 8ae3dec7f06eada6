-- What the host keeps beside the plugins' tables. Times are milliseconds UTC.

-- Idempotency keys, events handled, and where a broken-off request resumes (docs/architecture.md, journal).
CREATE TABLE stoa_journal (
    scope        TEXT   NOT NULL,
    key          TEXT   NOT NULL,
    request_hash TEXT   NOT NULL,
    state        TEXT   NOT NULL CHECK (state IN ('started', 'done')),
    resource_id  TEXT,
    status       BIGINT,
    body         TEXT,
    owner        TEXT   NOT NULL,
    lease_until  BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX stoa_journal_age ON stoa_journal (created_at);

-- Events, in the transaction that made them true, until the relay has passed them on.
CREATE TABLE stoa_outbox (
    id         TEXT   NOT NULL PRIMARY KEY,
    event      TEXT   NOT NULL,
    aggregate  TEXT   NOT NULL,
    data       TEXT   NOT NULL,
    trace      TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- The embedded bus: one row for each event and subscriber until it is handled; dead ones stay.
CREATE TABLE stoa_bus (
    event_id   TEXT   NOT NULL,
    subscriber TEXT   NOT NULL,
    event      TEXT   NOT NULL,
    aggregate  TEXT   NOT NULL,
    data       TEXT   NOT NULL,
    trace      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('ready', 'dead')),
    attempt    BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    error      TEXT   NOT NULL,
    PRIMARY KEY (subscriber, event_id)
);
CREATE INDEX stoa_bus_due ON stoa_bus (state, next_at);
CREATE INDEX stoa_bus_order ON stoa_bus (subscriber, aggregate, event_id);

-- Who does the work that must happen once.
CREATE TABLE stoa_lease (
    name  TEXT   NOT NULL PRIMARY KEY,
    owner TEXT   NOT NULL,
    until BIGINT NOT NULL
);
