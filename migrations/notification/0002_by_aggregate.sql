-- SPDX-License-Identifier: Apache-2.0
-- The audit asks for each paid order's mail.
CREATE INDEX notification_delivery_aggregate ON notification_delivery (aggregate);
