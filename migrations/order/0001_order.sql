-- SPDX-License-Identifier: Apache-2.0
-- Amounts are minor units; times are milliseconds UTC; tokens are stored as SHA-256.

CREATE TABLE order_cart (
  id TEXT NOT NULL PRIMARY KEY,
  token_hash TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  attributes TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL
);
CREATE INDEX order_cart_expires ON order_cart (expires_ms);

CREATE TABLE order_cart_line (
  cart_id TEXT NOT NULL,
  sku TEXT NOT NULL,
  quantity BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 99),
  added_ms BIGINT NOT NULL,
  PRIMARY KEY (cart_id, sku)
);

-- What was ordered, as the API shows it. Never changes after it was written: lines, adjustments and
-- the shipping option are JSON, so that an order is one row whatever its size. Where it stands is in
-- order_saga.
CREATE TABLE order_order (
  id TEXT NOT NULL PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  cart_id TEXT NOT NULL,
  token_hash TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  email TEXT NOT NULL,
  currency TEXT NOT NULL,
  subtotal BIGINT NOT NULL,
  adjusted BIGINT NOT NULL,
  shipping BIGINT NOT NULL,
  tax BIGINT NOT NULL,
  total BIGINT NOT NULL CHECK (total >= 0),
  lines TEXT NOT NULL,
  adjustments TEXT NOT NULL,
  shipping_option TEXT NOT NULL,
  address TEXT NOT NULL,
  created_ms BIGINT NOT NULL
);
CREATE INDEX order_order_customer ON order_order (customer_id, id);

-- Where each order stands, and who drives it. token: the guest's, until the mail has left with it.
CREATE TABLE order_saga (
  order_id TEXT NOT NULL PRIMARY KEY,
  cart_id TEXT NOT NULL,
  step TEXT NOT NULL,
  reason TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  pay_key TEXT NOT NULL,
  provider TEXT NOT NULL,
  token TEXT NOT NULL,
  deadline_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  lease_owner TEXT NOT NULL,
  lease_until BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL
);
-- One live order per cart: a second checkout of the same cart cannot even be written.
CREATE UNIQUE INDEX order_saga_cart ON order_saga (cart_id) WHERE step <> 'cancelled';
CREATE INDEX order_saga_due ON order_saga (deadline_ms) WHERE step NOT IN ('done', 'cancelled');
