"""Steps on lists of vectors: convolutions, recurrences, attention; to them and back."""

from __future__ import annotations

from random_cases.arguments import Argument
from random_cases.weights import bias, matrix
from random_cases.writer import Rows, State, Vector, Writer


def documents(w: Writer, a: Argument) -> State:
    """Embed tokens; where examples differ in length, go on without knowing it, to one vector."""
    rows, (t, *rest) = a.name, a.shape
    d = rest[0] if rest else w.rng.randint(1, 4)
    if a.places:
        table = w.values(a.places, d)
        if w.chance(0.2):
            table = w.let(f"[[mg.tanh(v) for v in row] for row in {table}]", a.places * d)
        rows = w.let(f"[mg.take({table}, i) for i in {a.name}]", t * d)
        w.looked_up = True
    if not a.is_ragged:
        return Rows(rows, t, d)
    if w.chance(0.4):
        p = w.values(t, d)
        places = f"[[v + {p}[k][j] for j, v in enumerate(row)] for k, row in enumerate({rows})]"
        rows = w.let(places, t * d)
    if w.chance(0.4):
        weight, b, m = w.values(3, d), w.values(), 3
        unit = f"mg.tanh(sum(q*v for q, v in zip(r, row)) + {b})"
        rows, d = w.let(f"[[{unit} for r in {weight}] for row in {rows}]", 2 * t * d * m), m
    if w.chance(0.4):
        seen = w.pick(f"{rows}[: i + 1]", f"{rows}[i:]", rows)
        logit = "mg.tanh(sum(x*y for x, y in zip(q, k)))"
        e = w.let(f"[[mg.exp({logit}) for k in {seen}] for i, q in enumerate({rows})]", t * t * d)
        mixed = f"sum(u*k[j] for u, k in zip(us, {rows})) / sum(us)"
        rows = w.let(f"[[{mixed} for j in range({d})] for us in {e}]", t * t * d)
    if w.chance(0.3):
        h, p = w.let(f"[0.1] * {d}", 0), w.values(d, d)
        w.line(f"for row in {rows}:")
        mixed = "sum(q*v for q, v in zip(r, row))"
        w.line(f"    {h} = [mg.tanh({mixed} + 0.5 * v) for r, v in zip({p}, {h})]")
        return Vector(h, d)
    of = w.pick("sum(c)", "sum(c) / len(c)", "mg.max(c)", "mg.min(c)", "c[-1] - 0.5 * c[0]")
    return w.vector(f"[{of} for c in zip(*{rows})]", d, t * d)


def reshape(w: Writer, x: Vector) -> State:
    """Cut a vector into rows, or into sliding windows."""
    n = x.width
    if n < 2:
        return Rows(w.let(f"[{x.name}]", 0), 1, 1)
    k = w.rng.randint(1, max(1, n // 2))
    if w.chance(0.5):
        length = n // k
        return w.rows(f"[{x.name}[i * {k} : (i + 1) * {k}] for i in range({length})]", length, k, 0)
    length = n - k + 1
    return w.rows(f"[{x.name}[i : i + {k}] for i in range({length})]", length, k, 0)


def flatten(w: Writer, x: Rows) -> State:
    """List all scalars, by rows or by columns."""
    n = x.length * x.width
    if n > 40:
        return pool(w, x)
    order = w.pick("for row in {x} for v in row", "for column in zip(*{x}) for v in column")
    return w.vector(f"[v {order.format(x=x.name)}]", n, 0)


def pool(w: Writer, x: Rows) -> State:
    """Reduce each column to one scalar."""
    w.kind("pooling")
    name = w.pick("sum", "mean", "maximum", "maximum", "logsumexp", "last", "alternating")
    n = x.length * x.width
    columns = f"for c in zip(*{x.name})"
    if name == "sum":
        return w.vector(f"[sum(c) {columns}]", x.width, n)
    if name == "mean":
        return w.vector(f"[sum(c) / {x.length} {columns}]", x.width, n)
    if name == "logsumexp":
        return w.vector(f"[functools.reduce(mg.logaddexp, c) {columns}]", x.width, n)
    if name == "last":
        return w.vector(f"[mg.tanh(c[-1]) {columns}]", x.width, x.width)
    if name == "alternating":
        chain = w.pick("b - a", "a - b", "b + a", "b - 0.5 * a")
        return w.vector(f"[functools.reduce(lambda a, b: {chain}, c) {columns}]", x.width, n)
    if w.chance(0.4):
        return w.vector(f"[{w.pick('mg.max', 'mg.min')}(c) {columns}]", x.width, n)
    which = w.pick("mg.maximum", "mg.minimum", "lambda a, b: mg.maximum(b, a)")
    return w.vector(f"[functools.reduce({which}, c) {columns}]", x.width, n)


def convolution(w: Writer, x: Rows) -> State:
    """Convolve along the rows, with strides, dilation, padding and channels."""
    k = w.rng.randint(1, min(4, x.length))
    dilation = w.rng.randint(1, 2) if (x.length - 1) // max(k - 1, 1) > 1 else 1
    stride, out = w.rng.choice((1, 1, 1, 2, 3)), w.rng.randint(1, 3)
    source, length = x.name, x.length
    if w.chance(0.3):
        zeros = f"[0.0] * {x.width}"
        source = w.let(f"[{zeros}, *{x.name}, {zeros}]", 0)
        length += 2
    count = (length - (k - 1) * dilation - 1) // stride + 1
    if count < 1 or not w.affords(2 * count * out * k * x.width):
        return x
    w.kind("convolution")
    kernel = w.values(out, k, x.width, scale=1.2 / (k * x.width) ** 0.5)
    weight = f"{kernel}[o][t][c]"
    if w.chance(0.3):
        weight = f"{kernel}[o][{k - 1} - t][c]"
    added = bias(w, out)
    total = (
        f"sum({weight} * {source}[s * {stride} + t * {dilation}][c] "
        f"for t in range({k}) for c in range({x.width}))"
    )
    total += f" + {added('o')}" if added else ""
    of = w.pick("mg.relu({})", "mg.tanh({})", "mg.sigmoid({})", "{}").format(total)
    inner, outer = (f"for o in range({out})", f"for s in range({count})")
    cost = 2 * count * out * k * x.width
    if w.chance(0.7):
        return w.rows(f"[[{of} {inner}] {outer}]", count, out, cost)
    return w.rows(f"[[{of} {outer}] {inner}]", out, count, cost)


def image(w: Writer, x: Rows) -> State:
    """Convolve in two dimensions."""
    a, b = w.rng.randint(1, min(3, x.length)), w.rng.randint(1, min(3, x.width))
    height, width = x.length - a + 1, x.width - b + 1
    maps = w.rng.randint(1, 2)
    if not w.affords(2 * height * width * a * b * maps):
        return x
    w.kind("convolution in two dimensions")
    kernel = w.values(maps, a, b)
    total = (
        f"sum({kernel}[m][i][j] * {x.name}[r + i][s + j] for i in range({a}) for j in range({b}))"
    )
    added = bias(w, maps)
    total += f" + {added('m')}" if added else ""
    of = w.pick("mg.relu({})", "mg.tanh({})").format(total)
    return w.rows(
        f"[[{of} for m in range({maps}) for r in range({height})] for s in range({width})]",
        width,
        maps * height,
        2 * height * width * a * b * maps,
    )


def recurrent(w: Writer, x: Rows) -> State:
    """Run a recurrence over the rows: plain, gated, or running sums."""
    n, m = x.width, w.rng.randint(1, 4)
    name = w.pick("plain", "plain", "gated", "sums", "sums")
    gates = 1 if name == "plain" else 3
    while not w.affords(2 * x.length * m * (n + m) * gates) and m > 1:
        m -= 1
    if not w.affords(2 * x.length * m * (n + m) * gates):
        return pool(w, x)
    w.kind("recurrent")
    if name == "sums":
        return _running(w, x)
    h, every = w.let(f"[{w.pick('0.0', '0.1234', w.values())}] * {m}", 0), w.let("[]", 0)
    rows = f"reversed({x.name})" if w.chance(0.2) else x.name
    w.line(f"for row in {rows}:")
    if name == "plain":
        weight, back, added = matrix(w, m, n), matrix(w, m, m), bias(w, m)
        total = (
            f"sum({weight('i', 'j')}*row[j] for j in range({n}))"
            f" + sum({back('i', 'j')}*{h}[j] for j in range({m}))"
        )
        total += f" + {added('i')}" if added else ""
        of = w.pick("mg.tanh", "mg.sigmoid", "mg.relu")
        w.line(f"    {h} = [{of}({total}) for i in range({m})]")
    else:
        _gated(w, h, n, m)
    w.line(f"    {every}.append({h})")
    w.cost += 2 * x.length * m * (n + m) * gates
    if w.chance(0.5):
        return w.vector(f"{every}[-1]", m, 0)
    return Rows(every, x.length, m)


def _gated(w: Writer, h: str, n: int, m: int) -> None:
    p = (
        w.values(3, m, n + m)
        if w.chance(0.6)
        else f"({', '.join(w.values(m, n + m) for _ in range(3))})"
    )
    gate = "sum(q*v for q, v in zip({p}[{g}][i], [*row, *{h}]))"
    added = bias(w, m)
    more = f" + {added('i')}" if added else ""
    z, r = (gate.format(p=p, g=g, h=h) for g in (0, 1))
    mixed = f"sum(q*v for q, v in zip({p}[2][i], [*row, *mixed]))"
    w.line(f"    update = [mg.sigmoid({z}{more}) for i in range({m})]")
    w.line(f"    mixed = [mg.sigmoid({r}) * {h}[i] for i in range({m})]")
    w.line(f"    new = [mg.tanh({mixed}) for i in range({m})]")
    w.line(f"    {h} = [(1 - u)*a + u*b for u, a, b in zip(update, {h}, new)]")


def _running(w: Writer, x: Rows) -> State:
    columns = f"for column in zip(*{x.name})"
    if w.chance(0.6):
        w.kind("running sums")
        seen = w.pick("column[: i + 1]", "column[: i + 1]", "column[i:]", "column[::-1][: i + 1]")
        term = w.pick("v", f"{w.values(x.length)}[k] * v", "mg.tanh(v)", "v * v")
        total = f"sum({term} for k, v in enumerate({seen}))"
        of = w.pick("mg.tanh({})", "{} / (i + 1)", "{}", "mg.sin({}) * column[i]").format(total)
        return w.rows(
            f"[[{of} for i in range({x.length})] {columns}]",
            x.width,
            x.length,
            2 * x.length * x.length * x.width,
        )
    op = w.pick("operator.add", "lambda a, b: 0.5*a + b", "mg.maximum", "lambda a, b: mg.tanh(a*b)")
    return w.rows(
        f"[list(itertools.accumulate(column, {op})) {columns}]",
        x.width,
        x.length,
        3 * x.length * x.width,
    )


def attention(w: Writer, x: Rows) -> State:
    """Let rows attend to each other, or to earlier ones only, in one or two heads."""
    heads, d = w.rng.choice((1, 1, 2)), w.rng.randint(1, 3)
    t, n = x.length, x.width
    cost = heads * (6 * t * n * d + 4 * t * t * d + 3 * t * t)
    if not w.affords(cost):
        return pool(w, x)
    w.kind("attention")
    q, k, v = (w.values(heads, d, n) for _ in range(3))
    if w.chance(0.3):
        k = q
    times = (
        "[[[sum(a*b for a, b in zip(r, row)) for r in {m}[g]] for row in {x}] for g in range({g})]"
    )
    queries, keys, seen = (w.let(times.format(m=m, x=x.name, g=heads), 0) for m in (q, k, v))
    upto = "range(i + 1)" if w.chance(0.4) else f"range({t})"
    logit = f"mg.tanh({w.number(0.3, 2)} * sum(a*b for a, b in zip({queries}[g][i], {keys}[g][j])))"
    if w.chance(0.3):
        logit = f"{logit} + {w.values(2 * t)}[i - j + {t - 1}]"
    e = w.let(
        f"[[[mg.exp({logit}) for j in {upto}] for i in range({t})] for g in range({heads})]", 0
    )
    mixed = f"sum(a * {seen}[g][j][c] for j, a in enumerate({e}[g][i])) / sum({e}[g][i])"
    each = f"for g in range({heads}) for c in range({d})"
    return w.rows(f"[[{mixed} {each}] for i in range({t})]", t, heads * d, cost)


# What row i of {x}, of {t} rows, sums over, as pairs of a place and a row.
SEEN = (
    "list(enumerate({x}))[: i + 1]",
    "list(enumerate({x}))[i:]",
    "list(enumerate({x}))[max(0, i - 1) : i + 2]",
    "[(k, {x}[k]) for k in range({t}) if k != i or {t} == 1]",
    "list(enumerate({x}[::-1]))[i // 2 :]",
    "[(k, {x}[k]) for k in range({t}) if (k - i) % 2 == 0]",
    "list(enumerate({x}))[: i % 2 + 1]",
)


def unlike_lengths(w: Writer, x: Rows) -> State:
    """Sum over as many rows as the place says: prefixes, neighbours, all others."""
    t, n = x.length, x.width
    if t < 7 and w.chance(0.5) and w.affords(5 * 49 * n):  # more lengths
        t = w.rng.randint(5, 7)
        x = Rows(w.let(f"({x.name} * {t})[:{t}]", 0), t, n)
    if not w.affords(5 * t * t * n):
        return pool(w, x)
    w.kind("sums of unlike lengths")
    seen = w.pick(*SEEN).format(x=x.name, t=t)
    term = w.pick(
        f"{w.values(t)}[k] * row[j]",
        f"{w.values(2 * t)}[k - i + {t}] * row[j]",
        f"{w.values(t, n)}[i][j] * row[j]",
        f"{x.name}[i][j] * row[j]",
        "mg.tanh(row[j])",
        "row[j]",
        f"mg.exp(-(row[j] - {x.name}[i][{n - 1} - j]) ** 2)",
        f"row[j] * row[{n - 1} - j]",
    )
    terms = w.let(
        f"[[[{term} for k, row in {seen}] for j in range({n})] for i in range({t})]", 3 * t * t * n
    )
    of = w.pick(
        "mg.tanh(sum(c))",
        "sum(c) / len(c)",
        "sum(v * v for v in c) / (1 + sum(c) ** 2)",
        "mg.max(c) - 0.3 * sum(c)",
        "sum(mg.exp(v - mg.stop_gradient(mg.max(c))) for v in c) - c[-1]",
        "mg.min([mg.tanh(v) for v in c])",
    )
    return w.rows(f"[[{of} for c in cs] for cs in {terms}]", t, n, 2 * t * t * n)


def positions(w: Writer, x: Rows) -> State:
    """Add or multiply a parameter per element, row or column."""
    w.kind("positions")
    t, n = x.length, x.width
    p = w.pick(
        f"{w.values(t, n)}[i][j]",
        f"{w.values(t)}[i]",
        f"{w.values(n)}[j]",
        f"{w.values(n, t)}[j][i]",
    )
    op = w.pick("+", "+", "-", "*")
    return w.rows(
        f"[[{x.name}[i][j] {op} {p} for j in range({n})] for i in range({t})]", t, n, t * n
    )


def rowwise(w: Writer, x: Rows) -> State:
    """Apply one layer to every row."""
    t, n, m = x.length, x.width, w.rng.randint(1, 4)
    if not w.affords(2 * t * n * m):
        return pool(w, x)
    w.kind("dense by rows")
    weight, added = matrix(w, m, n), bias(w, m)
    total = f"sum({weight('i', 'j')}*row[j] for j in range({n}))"
    total += f" + {added('i')}" if added else ""
    of = w.pick("mg.relu({})", "mg.tanh({})", "mg.sigmoid({})", "{}").format(total)
    return w.rows(f"[[{of} for i in range({m})] for row in {x.name}]", t, m, 2 * t * n * m)


def turn(w: Writer, x: Rows) -> State:
    """Transpose the rows, or reorder them."""
    w.kind("permutation")
    if w.chance(0.6):
        return w.rows(f"[list(column) for column in zip(*{x.name})]", x.width, x.length, 0)
    return w.rows(f"[{x.name}[i] for i in {w.indices(x.length)}]", x.length, x.width, 0)


STEPS = {
    flatten: 3,
    pool: 2,
    convolution: 4,
    image: 2,
    recurrent: 4,
    attention: 3,
    unlike_lengths: 4,
    positions: 2,
    rowwise: 3,
    turn: 1,
}
