-- The demo shop's schema and data. Wanting on purpose: orders.customer_id has no index, audit_entries no primary key,
-- ix_orders_state_old is never used, ix_customers_email_2 repeats a unique index, coupon_id nears the end of its type.
CREATE TABLE customers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    seen_at timestamptz
);
CREATE INDEX ix_customers_email_2 ON customers (email);
CREATE TABLE orders (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    state text NOT NULL,
    cents integer NOT NULL,
    note text NOT NULL DEFAULT '',
    placed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_orders_placed_at ON orders (placed_at);
CREATE INDEX ix_orders_state_old ON orders (state, cents);
CREATE TABLE order_items (
    order_id integer NOT NULL REFERENCES orders,
    line smallint NOT NULL,
    product_id integer NOT NULL,
    pieces integer NOT NULL,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE stock (product_id integer PRIMARY KEY, pieces integer NOT NULL);
CREATE TABLE audit_entries (at timestamptz NOT NULL DEFAULT now(), who text NOT NULL, what text NOT NULL);
CREATE TABLE coupons (coupon_id smallint GENERATED ALWAYS AS IDENTITY (START WITH 29000) PRIMARY KEY, code text NOT NULL);
CREATE TABLE outbox_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    attempts integer NOT NULL DEFAULT 0
);
INSERT INTO customers (email, name)
SELECT 'customer' || n || '@example.com', 'Customer ' || n FROM generate_series(1, 20000) AS n;
INSERT INTO orders (customer_id, state, cents, note, placed_at)
SELECT 1 + (n * 7919) % 20000, (ARRAY['placed', 'paid', 'sent', 'returned'])[1 + n % 4], 500 + (n * 31) % 90000,
       CASE WHEN n % 50 = 0 THEN 'gift wrap' ELSE '' END, now() - (n || ' minutes')::interval
FROM generate_series(1, 150000) AS n;
INSERT INTO order_items SELECT 1 + n % 150000, 1 + n / 150000, 1 + (n * 13) % 500, 1 + n % 4 FROM generate_series(0, 299999) AS n;
INSERT INTO stock SELECT n, 100 FROM generate_series(1, 500) AS n;
INSERT INTO audit_entries (who, what) SELECT 'clerk ' || n % 9, 'looked at order ' || n FROM generate_series(1, 40000) AS n;
INSERT INTO coupons (code) SELECT 'WELCOME' || n FROM generate_series(1, 400) AS n;
ALTER TABLE audit_entries SET (autovacuum_enabled = false);
DELETE FROM audit_entries WHERE who = 'clerk 3';
-- The console counts the outbox, the one table of the shop that it may read, and sees how far the sequences are.
GRANT SELECT ON outbox_event TO signalbox;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO signalbox;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shop;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO shop;
-- Who owns a table may vacuum it and rebuild its indexes.
ALTER TABLE customers OWNER TO shop_owner;
ALTER TABLE orders OWNER TO shop_owner;
ALTER TABLE order_items OWNER TO shop_owner;
ALTER TABLE stock OWNER TO shop_owner;
ALTER TABLE audit_entries OWNER TO shop_owner;
ALTER TABLE coupons OWNER TO shop_owner;
ALTER TABLE outbox_event OWNER TO shop_owner;
