-- A category's page in each order; the first also counts a category's products.
drop index product_item_by_category;
create index product_item_by_category_age on product_item (category_id, state, created_at, id);
create index product_item_by_category_name on product_item (category_id, state, name, id);
create index product_item_by_category_price on product_item (category_id, state, price_from, id);
