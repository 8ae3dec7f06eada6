-- The catalogue and its stock. Money is minor units, time is milliseconds UTC.
create table product_category (
  id text primary key,
  slug text not null unique,
  name text not null,
  description text not null,
  place bigint not null
);

-- price_from is the lowest price of the variants: lists sort and filter by it. search is the text
-- that a search looks into, in lower case. Both are written with the row they are made from.
create table product_item (
  id text primary key,
  slug text not null unique,
  category_id text not null references product_category (id),
  name text not null,
  summary text not null,
  description text not null,
  image text not null,
  tax_class text not null,
  details text not null,
  search text not null,
  state text not null check (state in ('active', 'draft', 'archived')),
  price_from bigint not null check (price_from >= 0),
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null
);
create index product_item_by_category on product_item (category_id, state);
create index product_item_by_name on product_item (state, name, id);
create index product_item_by_price on product_item (state, price_from, id);
create index product_item_by_age on product_item (state, created_at, id);

create table product_variant (
  sku text primary key,
  product_id text not null references product_item (id),
  name text not null,
  price bigint not null check (price >= 0),
  currency text not null,
  place bigint not null,
  unique (sku, product_id)
);
create index product_variant_by_product on product_variant (product_id, place);

-- received is net of corrections, so it alone may be negative. product_id spares the path of a
-- purchase a join; the foreign key keeps it true.
create table product_stock (
  sku text primary key,
  product_id text not null,
  initial bigint not null check (initial >= 0),
  received bigint not null,
  available bigint not null check (available >= 0),
  reserved bigint not null check (reserved >= 0),
  sold bigint not null check (sold >= 0),
  low_at bigint not null check (low_at >= 0),
  check (initial + received = available + reserved + sold),
  foreign key (sku, product_id) references product_variant (sku, product_id)
);
create index product_stock_by_product on product_stock (product_id);

-- One row per order that ever reserved or released. 'released' without lines is a tombstone: a
-- reserve that arrives after it is refused.
create table product_reservation (
  order_id text primary key,
  state text not null check (state in ('reserved', 'committed', 'released')),
  expires_at bigint not null,
  updated_at bigint not null
);
create index product_reservation_by_state on product_reservation (state, expires_at);

create table product_reservation_line (
  order_id text not null references product_reservation (order_id),
  sku text not null references product_stock (sku),
  quantity bigint not null check (quantity > 0),
  primary key (order_id, sku)
);
create index product_reservation_line_by_sku on product_reservation_line (sku);
