-- SPDX-License-Identifier: Apache-2.0
CREATE TABLE payment_intent (
  id TEXT NOT NULL PRIMARY KEY,
  order_id TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  pay_key TEXT NOT NULL UNIQUE,
  amount BIGINT NOT NULL CHECK (amount >= 0),
  currency TEXT NOT NULL,
  provider TEXT NOT NULL,
  state TEXT NOT NULL,
  refunded BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL
);
CREATE INDEX payment_intent_order ON payment_intent (order_id);
-- At most one capture per order, whatever happens above.
CREATE UNIQUE INDEX payment_intent_captured ON payment_intent (order_id) WHERE state = 'captured';

CREATE TABLE payment_refund (
  refund_key TEXT NOT NULL PRIMARY KEY,
  pay_key TEXT NOT NULL,
  amount BIGINT NOT NULL CHECK (amount > 0),
  state TEXT NOT NULL,
  created_ms BIGINT NOT NULL
);

-- The sandbox's own bank. It stands for another company's database: it is never written in a
-- transaction of the shop's.
CREATE TABLE payment_sandbox_charge (
  charge_key TEXT NOT NULL PRIMARY KEY,
  amount BIGINT NOT NULL,
  currency TEXT NOT NULL,
  state TEXT NOT NULL,
  refunded BIGINT NOT NULL,
  created_ms BIGINT NOT NULL
);
CREATE TABLE payment_sandbox_refund (
  refund_key TEXT NOT NULL PRIMARY KEY,
  charge_key TEXT NOT NULL,
  amount BIGINT NOT NULL,
  created_ms BIGINT NOT NULL
);
