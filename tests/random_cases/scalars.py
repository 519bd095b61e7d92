"""Steps of scalar code without structure: arithmetic, ifs, loops, derivatives within."""

from __future__ import annotations

from micrograd import Value
from random_cases.weights import pool
from random_cases.writer import Vector, Writer

# Of an operand; bounded, so that a sum of many terms hides no error.
UNARY = (
    *("mg.tanh({})", "mg.sin({})", "mg.cos({})", "mg.sigmoid({})", "mg.arctan({})", "mg.erf({})"),
    *("mg.erfc({})", "abs({})", "mg.relu({})", "-{}", "mg.negative({})"),
    *("mg.softplus({}) / 4", "mg.exp(-{0} * {0})", "mg.log(2 + mg.sin({}))"),
    *("mg.sqrt(1.5 + mg.cos({}))", "1 / (2 + mg.sin({}))", "(2 + mg.tanh({})) ** 1.5"),
    *("mg.tanh({}) ** 3 - 0.5", "mg.stop_gradient({}) * 0.5", "mg.log1p(mg.sigmoid({}))"),
    *("mg.expm1(mg.tanh({}))", "mg.cbrt(2 + mg.cos({}))", "mg.arcsinh({})", "mg.tan(mg.tanh({}))"),
    *("mg.sinh(mg.tanh({}))", "mg.cosh(mg.tanh({}))", "mg.arcsin(0.9 * mg.tanh({}))"),
    *("mg.arctanh(0.9 * mg.tanh({}))", "mg.arccosh(2 + mg.sin({}))", "mg.log2(1.5 + mg.sin({}))"),
    *("mg.tanh({}) ** 2", "2.0 ** mg.tanh({})", "mg.log10(1.5 + mg.cos({}))", "{} * 0.7"),
    *("mg.arccos(0.9 * mg.tanh({}))", "0.3 * mg.sign({})", "0.5 - {}", "2 / (3 + mg.sin({}))"),
    *("(1.5 + mg.sin({})) ** -1", "({0} * {0} + 0.5) ** 0.5", "mg.sin({0}) ** 3 + {0} ** 1"),
    *("1 * {0} + 0", "+{}", "sum([{}])", "sum([{}] * 3) / 4", "mg.tanh({0} * {0} * {0})"),
    *("mg.tanh({}) ** 0", "mg.tan(0.7 * mg.sin({}))", "1 / (1 + mg.exp(-mg.tanh({})))"),
)
# Of two; what compares has a number beside it, so that nothing ties.
BINARY = (
    *("({} + {}) / 2", "({} - {}) / 2", "{} * mg.tanh({})", "{} / (1.5 + mg.sin({}))"),
    *("mg.hypot({0}, 1 + {1} * {1}) / 8", "mg.arctan2({}, 1.5 + mg.cos({}))"),
    *(
        "mg.logaddexp({}, {}) / 2",
        "mg.maximum({}, 0.9 * {} + NUMBER)",
        "(1.5 + mg.sin({})) ** mg.tanh({})",
    ),
    *("mg.minimum({}, 0.8 * {} - NUMBER)", "{0} * {1}", "mg.tanh({0} - 2 * {1})"),
    *("mg.where({0} < 0.9 * {1} + NUMBER, mg.sin({0}), mg.cos({1}))",),
    *("mg.maximum(mg.maximum({0}, {1}), {0})", "mg.min([{0}, {1}, mg.min([{1}, {0}])])"),
    *("{0} - {1} * mg.stop_gradient({0}) / 2", "mg.stop_gradient({0} * {1}) + {0} * {1}"),
    *("({0} > 0.7 * {1} + NUMBER) * 0.5 + 0.1 * {0}", "(mg.sin({0}) - mg.sin({1})) * {0}"),
)
BRANCHES = (
    "mg.sin({0}) if {0} < 0.9 * {1} + NUMBER else mg.cos({1})",
    "{0} * mg.tanh({1}) if {0} - {1} <= NUMBER else 0.5 * {0}",
    "max({0}, 0.8 * {1} + NUMBER)",
    "min({0}, 0.7 * {1} + NUMBER, key=lambda v: v)",
    "({0} > {1} - NUMBER) * {0}",
    "mg.tanh({0}) if {0} > NUMBER and {1} < NUMBER else mg.tanh({1} - {0})",
    "{0} if not {1} > NUMBER else 0.3 * {1}",
    "{0} * 0.5 if ({0} > NUMBER) == ({1} > NUMBER) else mg.sin({1})",
    "{0} * 0.5 if ({0} > NUMBER) & ({1} < NUMBER) else mg.cos({1})",
    "mg.tanh({0}) if ({0} > NUMBER) ^ ({1} > NUMBER) else {1}",
    "{0} if {0} != {0} or {1} in (1.0, 2.0) else mg.sin({0} + {1})",
    "[{0}, mg.sin({1})][{0} > NUMBER]",
    "{{True: mg.sin({0}), False: 0.4 * {1}}}[{1} > NUMBER]",
    "{0} * sum([{0} > NUMBER, {1} > NUMBER])",
    "{0} if any(v > NUMBER for v in ({0}, {1})) else 0.7 * {1}",
    "{0} if all(v > -NUMBER for v in ({0}, {1})) else 0.7 * {1}",
)
# Derivatives in the function: of functions, by a parameter LEAF, and by a value computed before.
DERIVATIVES = (
    "mg.grad(lambda t: mg.sin(t * {1}) + {0} * t)({0})",
    "mg.grad(lambda t: mg.tanh(t) * {1} * t)({0})",
    "mg.grad(mg.grad(lambda t: mg.sin(t) * mg.tanh(t * {1})))({0})",
    "mg.grad(lambda t: t[0] * mg.sin(t[1]) + t[1] ** 2 * {0})([{0}, {1}])[1]",
    "sum(mg.value_and_grad(lambda t: mg.sigmoid(t) * {1})({0}))",
    "mg.hessian(lambda t: mg.sin(t[0] * t[1]) * {0})([{0}, {1}])[0][1]",
    "mg.grad(mg.tanh({0} * LEAF) * {1}, LEAF)",
    "mg.grad(mg.sin(LEAF) * LEAF * {0} + {1}, LEAF)",
    "mg.jacobian(lambda t: [mg.sin(t[0]) * t[1], t[0] * {1}])([{0}, {1}])[0][1]",
    "mg.grad(mg.sin({0}) * {1} + {0} * {0}, {0})",
    "mg.grad(mg.tanh({0} * {1}), [{0}, {1}])[1]",
    "mg.grad(mg.grad(mg.sin({0} * {1}), {0}) * {0}, {1})",
    "mg.jvp([mg.sin(LEAF * {0})], [LEAF], [{1}])[0]",
    "mg.hvp(mg.sin(LEAF) * {0}, [LEAF], [{1}])[0]",
    "mg.grad(lambda t: t * {1} if t > NUMBER else mg.sin(t) * {1})({0})",
)


def arithmetic(w: Writer, x: Vector) -> Vector:
    """Write straight-line code on elements, parameters and numbers."""
    w.kind("scalar code")
    nodes = [f"{x.name}[{i}]" for i in range(x.width)]
    nodes += _parameters(w)
    written = [f"mg.Value({w.number()})"]
    for _ in range(w.rng.randint(2, 14)):
        if not w.affords(5):
            break
        if w.chance(0.15):  # an equal node
            written.append(w.rng.choice(written))
        else:
            written.append(_filled(w, w.rng.choice((UNARY, BINARY)), nodes))
        nodes.append(w.let(written[-1], 3))
    m = min(w.rng.randint(1, 6), len(nodes))
    chosen = nodes[-m:] if w.chance(0.7) else [w.rng.choice(nodes) for _ in range(m)]
    return w.vector(f"[{', '.join(chosen)}]", m, 0)


# Multiplied in another order, these overflow, or vanish.
FAR = (
    "({0} * NUMBERe-200) * 1e200",
    "({0} * 1e-155 * {1}) * NUMBERe155",
    "({0} * 1e200) * ({1} * NUMBERe-200)",
    "(({0} * 1e-155) * NUMBERe155) * (({1} * 1e-155) * 1e155)",
    "(({0} * 1e200) * (NUMBERe-200 * {1})) * (({1} * 1e155) * ({0} * 1e-155))",
    "-(1e200 * -{0}) * (({1} / 1e200) * NUMBER)",
    "1e-200 * ({0} * NUMBER) * 1e155 * (mg.tanh({1}) * 1e45)",
)


def far_factors(w: Writer, x: Vector) -> Vector:
    """Multiply by very large and very small numbers, in an order that matters."""
    w.kind("factors far from 1")
    nodes = [f"{x.name}[{i}]" for i in range(x.width)] + _parameters(w)
    new = [_filled(w, FAR, nodes) for _ in range(w.rng.randint(1, 4))]
    return w.vector(f"[{', '.join(new)}]", len(new), 6 * len(new))


def branches(w: Writer, x: Vector) -> Vector:
    """Write ifs that part the rows."""
    if w.paths > 8:
        return x
    w.kind("ifs")
    nodes = [f"{x.name}[{i}]" for i in range(x.width)]
    if w.chance(0.3):
        nodes += _parameters(w)
    new: list[str] = []
    for _ in range(w.rng.randint(1, 3)):
        written = _filled(w, BRANCHES, nodes + new)
        w.paths *= 2 ** min(written.count(">") + written.count("<"), 2)
        new.append(w.let(written, 4))
        if w.paths > 8:
            break
    kept = nodes[: w.rng.randint(0, min(4, x.width))]
    return w.vector(f"[{', '.join(new + kept)}]", len(new) + len(kept), 0)


# Of scalars that are equal in some rows: {2}, {3}, {4}; NUMBER stands for a multiple of 1/2.
TIES = (
    "mg.sin({0}) if {2} > {3} else mg.cos({1})",
    "mg.sin({0}) if {2} >= {3} else mg.cos({1})",
    "{0} if {2} == {3} else 0.3 * {1}",
    "{0} if {2} + {3} <= NUMBER else 0.3 * {1}",
    "{0} * 0.5 if 2 * {2} - {3} < {4} else mg.sin({1})",
    "{0} * sum([{2} > {3}, {2} == {4}, {3} != NUMBER])",
    "{0} * sorted([{2}, {3}, {4}])[1]",
    "{0} * max({2}, {3}) + {1} * min({3}, {4})",
    "{0} if {2} in (NUMBER, NUMBER) else {1}",
    "mg.where({2} < {3}, {0}, 0.7 * {1}) + mg.where({3} <= NUMBER, {1}, 0.2)",
    "{0} * mg.maximum({2}, {3})",
)


def ties(w: Writer, x: Vector) -> Vector:
    """Write ifs on numbers that are equal in some rows, or that are but for rounding."""
    if w.paths > 4 or not w.exact:
        return x
    w.kind("ties")
    nodes = [f"{x.name}[{i}]" for i in range(x.width)] + _parameters(w)
    if w.chance(0.3):
        p, q = w.values(len(w.exact)), f"[{', '.join(w.exact)}]"
        w.line(f"left = sum(u*v for u, v in zip({p}, {q}))")
        w.line(f"right = sum(u*v for u, v in zip({p}[::-1], {q}[::-1]))")
        w.paths *= 2
        powers = "((left - right) ** 3.5 if left >= right else (right - left) ** 3.5)"
        w.cost += 4 * len(w.exact)
        return w.vector(f"[{w.rng.choice(nodes)} + {powers}]", 1, 8)
    written = w.rng.choice(TIES)
    w.paths *= 6 if "sorted" in written or "sum" in written else 3
    chosen = [w.rng.choice(nodes) for _ in range(2)] + [w.rng.choice(w.exact) for _ in range(3)]
    written = written.format(*chosen)
    while "NUMBER" in written:
        written = written.replace("NUMBER", str(w.rng.randint(-3, 3) / 2), 1)
    return w.vector(f"[{written}, *{x.name}[1:]]", x.width, 9)


def of_label(w: Writer, label: str, places: int) -> str:
    """Make a scalar of an argument of integers: a number, an entry of a table, a decision."""
    p, q = w.values(places), w.values()
    w.looked_up = True
    return w.pick(
        f"{q} * {label}",
        f"mg.take({p}, {label})",
        f"mg.take([mg.tanh(v * {q}) for v in {p}], {label})",
        f"({q} if {label} == 0 else mg.take({p}, {label}))",
        f"({q} if {label} > 0 else -{q})",
        f"({q} * 0.5 if {label} in (0, 2) else {q})",
    )


def parameters_decide(w: Writer, x: Vector) -> Vector:
    """Write an if that parameters decide, for all rows alike, anew at each call."""
    if w.paths > 8:
        return x
    w.kind("ifs on parameters")
    w.paths *= 2
    p, q = w.values(), w.values()
    condition = w.pick(f"{p} > {w.number()}", f"{p} * {q} <= {w.number(-0.5, 0.5)}", f"{p} < {q}")
    first = w.pick(f"mg.tanh(v * {p})", f"v + {q}", f"mg.sin(v) * {q}")
    second = w.pick(f"v * {p}", f"v - {q}", "mg.tanh(v)")
    return w.vector(
        f"[{first} for v in {x.name}] if {condition} else [{second} for v in {x.name}]",
        x.width,
        3 * x.width,
    )


def sorting(w: Writer, x: Vector) -> Vector:
    """Sort three scalars, or loop until one is small."""
    if w.paths > 4:
        return x
    if w.chance(0.5):
        w.kind("loops")
        w.paths *= 3
        v = w.let(f"mg.tanh({x.name}[0]) * {w.number(0.5, 1.3)}", 2)
        w.line(f"while {v} > {w.number(0.35, 0.6)}:")
        w.line(f"    {v} = 0.5 * {v} - {w.number(0.01, 0.1)}")
        w.cost += 9
        return w.vector(f"[{v}, *{x.name}[1:]]", x.width, 0)
    w.kind("sorting")
    w.paths *= 6
    rest = f"0.9 * {x.name}[-1] + {w.number()}, {w.number()} - 0.8 * {x.name}[0]"
    found = w.let(f"sorted([{x.name}[0], {rest}])", 8)
    return w.vector(found, 3, 0) if w.chance(0.5) else w.vector(f"[{found}[1]]", 1, 0)


def derivative(w: Writer, x: Vector) -> Vector:
    """Take derivatives of small functions, and go on with them."""
    w.kind("inner grad")
    if w.looked_up:  # two look-ups of one entry are one Value in the loop
        x = w.vector(f"[v * 1.0 for v in {x.name}]", x.width, x.width)
    nodes = [f"{x.name}[{i}]" for i in range(x.width)]
    if w.chance(0.3):
        nodes += _parameters(w)
    new: list[str] = []
    for _ in range(w.rng.randint(1, 3)):
        if not w.affords(30):
            break
        written = _filled(w, DERIVATIVES, nodes + new)
        if " if " in written:
            if w.paths > 8:
                continue
            w.paths *= 2
        if "LEAF" in written:
            written = written.replace("LEAF", w.values())
        new.append(w.let(f"mg.tanh({written})", 30))
    kept = nodes[: w.rng.randint(0 if new else 1, 3)]
    return w.vector(f"[{', '.join(new + kept)}]", len(new) + len(kept), 0)


def slope_of_network(w: Writer, x: Vector) -> Vector:
    """Differentiate a small network by its inputs."""
    n, m = x.width, w.rng.randint(1, 3)
    if n > 6 or not w.affords(12 * n * m):
        return x
    w.kind("inner grad of a network")
    p, b, v = w.values(m, n), w.values(m), w.values(m)
    of = w.pick("mg.tanh", "mg.sigmoid", "mg.softplus", "mg.sin")
    unit = f"{of}(sum(a*e for a, e in zip({p}[i], t)) + {b}[i])"
    network = f"lambda t: sum({v}[i] * {unit} for i in range({m}))"
    return w.vector(f"list(mg.grad({network})({x.name}))", n, 12 * n * m)


def slope_of_all(w: Writer, x: Vector) -> Vector:
    """Differentiate all that was computed so far by the first argument, or by parameters."""
    lists = [name for name, thing in w.parameters.items() if isinstance(thing, list)]
    flat = [name for name in lists if isinstance(w.parameters[name][0], Value)]
    name, count = w.first
    if flat and w.chance(0.4):
        chosen = w.rng.choice(flat)
        name, count = w.reference(chosen), len(w.parameters[chosen])
    if not count or w.slopes or not w.moves or not w.affords(2 * w.cost):
        return x
    w.kind("inner grad of all")
    w.slopes = True
    whole = f"mg.tanh(sum({x.name}) + 0.1 * {name}[0])"
    m = min(count, 6)
    return w.vector(f"mg.grad({whole}, {name})[:{m}]", m, 2 * w.cost)


def physics(w: Writer, x: Vector) -> Vector:
    """Integrate a pair of equations by Euler's method."""
    w.kind("steps of a method")
    a, b = w.values(), w.values()
    p, q = w.let(f"mg.tanh({x.name}[0])", 1), w.let(f"mg.tanh({x.name}[-1]) + 0.1", 2)
    w.line(f"for _ in range({w.rng.randint(1, 6)}):")
    w.line(f"    {p}, {q} = {p} + 0.1 * ({a}*{q} - {p}**3), {q} + 0.1 * ({q}*{p} - {b}*{p})")
    w.cost += 60
    return w.vector(f"[{p}, {q}]", 2, 0)


def _parameters(w: Writer) -> list[str]:
    if w.chance(0.3):
        p = pool(w)
        return [f"{p}[{w.rng.randint(0, 40)}]" for _ in range(3)]
    return [w.values() for _ in range(w.rng.randint(1, 3))]


def _filled(w: Writer, written: tuple[str, ...], nodes: list[str]) -> str:
    """Fill in operands, mostly those made last, in one of these templates."""
    operands = [w.rng.choice(nodes[-6:] if w.chance(0.6) else nodes) for _ in range(2)]
    found = w.rng.choice(written).format(*operands)
    while "NUMBER" in found:
        found = found.replace("NUMBER", w.number(0.01, 0.4), 1)
    return found


STEPS = {
    arithmetic: 6,
    far_factors: 2,
    branches: 3,
    parameters_decide: 2,
    sorting: 2,
    derivative: 3,
    slope_of_network: 2,
    slope_of_all: 2,
    physics: 1,
}
