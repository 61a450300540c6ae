"""Makes shop.db: customers, products, sales orders and their items, as a shop or an ERP system has them.

python make_shop.py shop.db              # 2,000 customers, about 8,500 orders and 21,000 items
python make_shop.py small.db 200         # fewer
python make_shop.py other.db 2000 1      # as many, with another seed

Everything is made up by this program. What it builds in, and what a twin must therefore have too: business customers
order more often and larger; orders rise before Christmas; each country has its own channels and delivery times; an
order's items are numbered, its total is their sum, and it is shipped after it was ordered.
"""

from __future__ import annotations

import sqlite3
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np

SCHEMA = """
CREATE TABLE customers (
    id VARCHAR(8) PRIMARY KEY, name VARCHAR(60) NOT NULL, segment VARCHAR(10) NOT NULL, country CHAR(2) NOT NULL,
    city VARCHAR(30) NOT NULL, signed_up DATE NOT NULL, newsletter BOOLEAN NOT NULL
);
CREATE TABLE products (
    id INTEGER PRIMARY KEY, sku VARCHAR(10) NOT NULL UNIQUE, name VARCHAR(60) NOT NULL,
    category VARCHAR(20) NOT NULL, price NUMERIC(10, 2) NOT NULL
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer_id VARCHAR(8) NOT NULL REFERENCES customers (id), ordered DATE NOT NULL,
    shipped DATE, status VARCHAR(10) NOT NULL, channel VARCHAR(10) NOT NULL, total NUMERIC(10, 2) NOT NULL
);
CREATE TABLE items (
    order_id INTEGER NOT NULL REFERENCES orders (id), line INTEGER NOT NULL,
    product_id INTEGER NOT NULL REFERENCES products (id), quantity INTEGER NOT NULL,
    price NUMERIC(10, 2) NOT NULL, amount NUMERIC(10, 2) NOT NULL, PRIMARY KEY (order_id, line)
);
CREATE INDEX orders_by_customer ON orders (customer_id);
"""
CITIES = {
    "DE": (0.40, ["Berlin", "Hamburg", "Munich", "Cologne", "Leipzig"]),
    "NL": (0.22, ["Amsterdam", "Rotterdam", "Utrecht"]),
    "FR": (0.20, ["Paris", "Lyon", "Lille"]),
    "AT": (0.11, ["Vienna", "Graz"]),
    "DK": (0.07, ["Copenhagen", "Aarhus"]),
}
CATEGORIES = {"paper": (0.30, 9), "ink": (0.20, 32), "desks": (0.12, 260), "chairs": (0.13, 170), "lamps": (0.25, 48)}
FIRST, LAST = date(2023, 1, 1), date(2024, 12, 31)
MONTHS = np.array([0.9, 0.85, 1.0, 0.95, 0.9, 0.8, 0.7, 0.75, 1.05, 1.15, 1.5, 1.6])  # how many orders


def make(count: int = 2_000, seed: int = 0) -> dict[str, list[tuple[object, ...]]]:
    """The rows of each table, by its name."""
    random = np.random.default_rng(seed)
    customers = _customers(random, count)
    products = _products(random, max(40, count // 10))
    days = [FIRST + timedelta(days=i) for i in range((LAST - FIRST).days + 1)]
    weights = np.array([MONTHS[day.month - 1] * (0.5 if day.weekday() > 4 else 1) for day in days])
    popular = random.gamma(0.6, 1.0, len(products)) + 0.02
    by_category = {name: np.array([i for i, p in enumerate(products) if p[3] == name]) for name in CATEGORIES}
    orders: list[tuple[object, ...]] = []
    baskets: list[list[tuple[object, ...]]] = []
    for identity, _, segment, country, _, signed_up, newsletter in customers:
        mean = (7.5 if segment == "business" else 2.4) * (1.3 if newsletter else 1)
        allowed = np.array([day >= date.fromisoformat(str(signed_up)) for day in days])
        share = weights * allowed
        for _ in range(random.poisson(mean * share.sum() / weights.sum())):
            day = days[random.choice(len(days), p=share / share.sum())]
            basket = _basket(random, segment == "business", products, popular, by_category)
            online = {"DE": 0.6, "NL": 0.85, "FR": 0.5, "AT": 0.55, "DK": 0.8}[str(country)]
            channel = "web" if random.random() < online else "phone" if segment == "business" else "shop"
            status = random.choice(["delivered", "returned", "cancelled"], p=[0.88, 0.07, 0.05])
            wait = 1 + random.poisson({"DE": 2, "NL": 1, "FR": 4, "AT": 3, "DK": 3}[str(country)])
            shipped = None if status == "cancelled" else day + timedelta(days=int(wait))
            if shipped and shipped > LAST:
                status, shipped = "open", None
            total = round(sum(float(str(row[-1])) for row in basket), 2)
            orders.append((identity, day, shipped, status, channel, total))
            baskets.append(basket)
    order = sorted(range(len(orders)), key=lambda i: (str(orders[i][1]), i))  # orders are numbered as they come in
    rows: dict[str, list[tuple[object, ...]]] = {
        "customers": customers,
        "products": products,
        "orders": [],
        "items": [],
    }
    for number, i in enumerate(order, 10_001):
        identity, day, shipped, *rest = orders[i]
        rows["orders"].append((number, identity, str(day), str(shipped) if shipped else None, *rest))
        rows["items"] += [(number, line, *item) for line, item in enumerate(baskets[i], 1)]
    return rows


def _customers(random: np.random.Generator, count: int) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for i in range(count):
        country = str(random.choice(list(CITIES), p=[share for share, _ in CITIES.values()]))
        cities = CITIES[country][1]
        city = cities[min(len(cities) - 1, int(random.geometric(0.45)) - 1)]
        business = bool(random.random() < (0.35 if country in ("DE", "AT") else 0.22))
        name = f"{random.choice(['Ada', 'Ben', 'Cleo', 'Dirk', 'Eva', 'Finn'])} {chr(65 + i % 26)}{i:04d}"
        signed_up = FIRST - timedelta(days=400) + timedelta(days=int(random.integers(0, 1_000)))
        newsletter = bool(random.random() < (0.5 if business else 0.3))
        segment = "business" if business else "private"
        rows.append((f"C-{i + 1:05d}", name, segment, country, city, str(signed_up), newsletter))
    return rows


def _products(random: np.random.Generator, count: int) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for i in range(count):
        category = str(random.choice(list(CATEGORIES), p=[share for share, _ in CATEGORIES.values()]))
        price = round(CATEGORIES[category][1] * float(random.lognormal(0, 0.4)), 0) - 0.05
        rows.append((i + 1, f"{category[:2].upper()}-{i + 1:05d}", f"{category} no. {i + 1}", category, price))
    return rows


def _basket(
    random: np.random.Generator, business: bool, products: list[tuple[object, ...]], popular: np.ndarray,
    by_category: dict[str, np.ndarray],
) -> list[tuple[object, ...]]:  # fmt: skip
    """The items of an order: product, quantity, price, amount. No product occurs in it twice."""
    size = 1 + random.poisson(2.2 if business else 1.0)
    likes = np.array([0.35, 0.3, 0.1, 0.15, 0.1] if business else [0.25, 0.2, 0.1, 0.1, 0.35])
    rows, seen = [], set()
    for _ in range(size):
        among = by_category[str(random.choice(list(CATEGORIES), p=likes))]
        if not len(among):
            continue
        product = products[int(random.choice(among, p=popular[among] / popular[among].sum()))]
        if product[0] in seen:
            continue
        seen.add(product[0])
        price = float(str(product[4]))
        quantity = 1 + int(random.poisson((12 if business else 2) if price < 60 else (1.5 if business else 0.2)))
        rows.append((product[0], quantity, price, round(quantity * price, 2)))
    return rows or [(products[0][0], 1, products[0][4], products[0][4])]


def write(path: Path, rows: dict[str, list[tuple[object, ...]]]) -> None:
    """Write the tables into a new database of SQLite."""
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    for table, each in rows.items():
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(each[0]))})", each)
    connection.commit()
    connection.close()


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "shop.db")
    if target.exists():
        sys.exit(f"{target} is there already: choose another name, or remove it.")
    made = make(int(sys.argv[2]) if len(sys.argv) > 2 else 2_000, int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    write(target, made)
    print(f"{target}: {', '.join(f'{len(each):,} {name}' for name, each in made.items())}")
