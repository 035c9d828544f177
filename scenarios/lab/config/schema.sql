CREATE ROLE shop LOGIN;

CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, price numeric(10, 2) NOT NULL);

INSERT INTO items SELECT n, 'item ' || n, 5 + n % 40 FROM generate_series(1, 60) AS n;

CREATE TABLE orders (id bigserial PRIMARY KEY, customer int NOT NULL, item int NOT NULL, price numeric(10, 2) NOT NULL, note text NOT NULL, placed_at timestamptz NOT NULL DEFAULT now());

CREATE INDEX orders_customer ON orders (customer);

INSERT INTO orders (customer, item, price, note) SELECT n % 40, 1 + n % 60, 10, 'earlier' FROM generate_series(1, 20000) AS n;

GRANT ALL ON ALL TABLES IN SCHEMA public TO shop;

GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO shop;

ALTER TABLE orders OWNER TO shop;

