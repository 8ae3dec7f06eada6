-- SPDX-License-Identifier: Apache-2.0
-- One row for each mail. payload: what it is made of, kept only until it has been handed over.
CREATE TABLE notification_delivery (
  id TEXT NOT NULL PRIMARY KEY,
  message_id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  aggregate TEXT NOT NULL,
  recipient TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  error TEXT NOT NULL,
  payload TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL
);
CREATE INDEX notification_delivery_state ON notification_delivery (state, id);
