-- config.lua: the demo shop on one machine, nothing to install.
-- Every key with its default: docs/operator-guide.md. SPDX-License-Identifier: Apache-2.0
local stoa = require "stoa"

return stoa.config {
  shop = {
    name = "Stoa Demo",
    url = "http://127.0.0.1:8080",
    email = "shop@example.com",
    currency = "EUR",
    locales = { "en" },
  },
  data = "var",

  resources = {
    sql = stoa.sqlite { file = "stoa.db" },   -- stoa.postgresql { url = stoa.env "DATABASE_URL" }
    cache = stoa.memory { max = "64MiB" },
    bus = stoa.sqlbus {},
    mail = stoa.files {},                     -- var/mail; to be read at /mailbox
    blobs = stoa.files {},
  },

  plugins = {
    user = {},
    product = {},
    order = {},
    payment = { provider = "sandbox" },
    shipping = {},
    notification = {},
    storefront = { theme = "aurora" },
  },

  nodes = {
    all = { listen = { "127.0.0.1:8080" }, run = "*" }, -- or stoa.tls { ":8443", certificate = "shop.pem", key = "shop.key" }
  },
}
