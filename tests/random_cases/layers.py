"""Steps from a vector to a vector: layers, activations, norms, gates."""

from __future__ import annotations

from micrograd import nn
from random_cases.weights import bias, matrix
from random_cases.writer import Vector, Writer

# Of an element v.
COMMON = ("mg.relu(v)", "mg.tanh(v)", "mg.sigmoid(v)")
RARE = (
    *("mg.softplus(v)", "mg.sin(v)", "abs(v)", "mg.exp(-v ** 2)", "mg.arctan(v)", "mg.erf(v)"),
    *("-mg.tanh(v)", "1 - mg.sigmoid(v)", "mg.log(2 + mg.sin(v))", "mg.tanh(v) ** 3"),
    *("mg.maximum(v, 0.2137)", "mg.minimum(v, 0.7134)", "mg.maximum(v, 0.1 * v)"),
    *("v * mg.sigmoid(v)", "v * (1 + mg.erf(v / 1.4142)) / 2", "v / (1 + v * v)"),
    *("mg.where(v > 0.0137, v, 0.1 * v)", "v * mg.stop_gradient(mg.tanh(v))", "mg.tanh(v * v)"),
    *("mg.where(v > 0.0137, v, mg.expm1(mg.minimum(v, 0.0137)))", "v * v / (1 + abs(v))"),
    "bump(v)",  # a row of one's own
)


def activation(w: Writer, x: Vector) -> Vector:
    """Apply one function to every element, or several in turn."""
    w.kind("activation")
    n = x.width
    if w.chance(0.15):
        several = ", ".join(w.pick("mg.tanh", "mg.relu", "abs", "mg.sin") for _ in range(3))
        return w.vector(f"[({several})[i % 3]({x.name}[i]) for i in range({n})]", n, n)
    written = w.pick(*(COMMON if w.chance(0.4) else RARE))
    return w.vector(f"[{written} for v in {x.name}]", n, 3 * n)


def dense(w: Writer, x: Vector) -> Vector:
    """Write a dense layer in one of many ways, mostly with an activation."""
    n, m = x.width, w.width()
    if w.chance(0.3) and n > 1:  # buffers of nearly the same size
        m = max(1, n + w.rng.choice((-1, 0, 1)))
    while not w.affords(2 * n * m) and m > 1:
        m //= 2
    w.kind("dense")
    weight, added = matrix(w, m, n), bias(w, m)
    element = f"{x.name}[j]"
    order = f"range({n})" if w.chance(0.8) else f"reversed(range({n}))"
    if w.chance(0.1):
        order = w.indices(n)
    if w.chance(0.2):
        element = _shifted(w, element, n)
    terms = "-{w}*{x}" if w.chance(0.08) else w.pick("{w}*{x}", "{w}*{x}", "{x}*{w}")
    terms = f"({terms.format(w=weight('i', 'j'), x=element)} for j in {order})"
    total = f"sum({terms})"
    if added is not None:
        b = added("i")
        total = w.pick(
            f"sum({terms}, {b})", f"sum({terms}) + {b}", f"{b} + sum({terms})",
            f"sum({terms}) - {b}", f"{b} - sum({terms})",
        )  # fmt: skip
    result = w.vector(f"[{total} for i in range({m})]", m, 2 * n * m)
    return activation(w, result) if w.chance(0.75) else result


def stack(w: Writer, x: Vector) -> Vector:
    """Write an ordinary network: layers of nearly equal widths, all with biases."""
    w.kind("ordinary network")
    m = w.rng.randint(18, 33) if w.large else w.rng.randint(1, 8)
    for _ in range(w.rng.randint(2, 4)):
        m = max(1, m + w.rng.choice((-1, -1, 0, 1)))
        if not w.affords(2 * x.width * m):
            break
        p, b = w.values(m, x.width, scale=1.5 / x.width**0.5), w.values(m)
        z = f"sum((q*v for q, v in zip(row, {x.name})), c)"
        if w.chance(0.2):
            s = w.values(x.width)
            z = f"sum((q*(v + s) for q, v, s in zip(row, {x.name}, {s})), c)"
        of = w.pick("mg.sigmoid", "mg.relu", "mg.tanh", "mg.softplus", "mg.sin")
        x = w.vector(f"[{of}({z}) for row, c in zip({p}, {b})]", m, 2 * x.width * m)
    return x


def neuron(w: Writer, x: Vector) -> Vector:
    """Write a single neuron, whose inputs may be shifted by parameters."""
    w.kind("neuron")
    p, b = w.values(x.width), w.values()
    z = f"sum((q*v for q, v in zip({p}, {x.name})), {b})"
    if w.chance(0.6):
        w.kind("shifted inputs")
        shifted = w.pick("v + s", "v + s", "s + v", "v - s", "v * s")
        z = f"sum(q*({shifted}) for q, v, s in zip({p}, {x.name}, {w.values(x.width)})) + {b}"
    of = w.pick("mg.tanh({})", "mg.relu({})", "mg.sigmoid({})", "{}").format(z)
    if w.chance(0.5) or x.width > 8:
        return w.vector(f"[{of}]", 1, 3 * x.width)
    return w.vector(f"[{of}, *{x.name}]", x.width + 1, 3 * x.width)


def arrays(w: Writer, x: Vector) -> Vector:
    """Write a dense layer on NumPy arrays of Values."""
    n, m = x.width, w.rng.randint(1, 5)
    if not w.affords(2 * n * m):
        m = 1
    w.kind("object arrays")
    p, b = w.values(m, n, scale=1 / n**0.5), w.values(m)
    z = f"np.array({p}) @ np.array({x.name}) {w.pick('+', '-')} np.array({b})"
    of = w.pick("mg.tanh", "mg.sigmoid", "mg.relu", "mg.sin")
    return w.vector(f"list({of}({z}))", m, 2 * n * m)


def _shifted(w: Writer, element: str, n: int) -> str:
    """Shift or scale an input by parameters before it is weighted."""
    w.kind("shifted inputs")
    p = w.values(n)
    return w.pick(f"({element} + {p}[j])", f"({element} - {p}[j])", f"({element} * {p}[j])")


def record(w: Writer, x: Vector) -> Vector:
    """Write a layer whose weights and bias lie side by side, unit after unit."""
    n, m = x.width, w.width()
    if w.chance(0.4):
        m = w.rng.randint(4, 9)
    while not w.affords(2 * n * m) and m > 1:
        m //= 2
    w.kind("records")
    if w.chance(0.4):
        flat = w.values(m * (n + 1))
        row, b = f"{flat}[i * {n + 1} : (i + 1) * {n + 1}]", f"{flat}[i * {n + 1} + {n}]"
    else:
        row = f"{w.values(m, n + w.rng.randint(1, 2))}[i]"
        b = f"{row}[{n}]"
    total = f"sum(q*v for q, v in zip({row}, {x.name}))"
    z = w.pick(f"{total} + {b}", f"{total} - {b}", f"{b} - {total}", f"{total} * {b}")
    result = w.vector(f"[{z} for i in range({m})]", m, 2 * n * m)
    return activation(w, result) if w.chance(0.75) else result


def distance(w: Writer, x: Vector) -> Vector:
    """Subtract parameters, which may lie any distance apart, from the inputs."""
    n, m = x.width, w.width()
    if not w.affords(3 * n * m):
        m = 1
    w.kind("distances")
    weight = matrix(w, m, n)
    difference = w.pick("({x} - {w})", "({w} - {x})").format(x=f"{x.name}[j]", w=weight("i", "j"))
    of = w.pick("mg.tanh({})", "{} ** 2", "abs({})", "mg.exp(-{} ** 2)").format(difference)
    total = f"sum({of} for j in range({n}))"
    if w.chance(0.3) and m == n:
        return w.vector(
            f"[mg.tanh({x.name}[i] - {weight('i', '0')}) for i in range({n})]", n, 2 * n
        )
    return w.vector(f"[mg.tanh({total} / {n}) for i in range({m})]", m, 3 * n * m)


def of_nn(w: Writer, x: Vector) -> Vector:
    """Call a Neuron, Layer or MLP of nn."""
    w.kind("nn")
    n, m = x.width, w.rng.choice((1, 2, 3, 4, 5))
    if not w.affords(2 * n * m):
        m = 1
    chosen = w.pick("relu", "tanh", "sigmoid", "linear")
    model: nn.Module
    if w.chance(0.2):
        model = nn.Neuron(n, activation=chosen)
        m = 1
    elif w.chance(0.6):
        model = nn.Layer(n, m, activation=chosen)
    else:
        k = w.rng.randint(1, 4)
        model = nn.MLP(n, [k, m], activation=chosen)
        w.cost += 2 * k * (n + m)
    for p in model.parameters():
        p.data = w.rng.uniform(-1, 1)
    called = f"{w.hold(model)}({x.name})"
    return w.vector(f"[{called}]" if m == 1 else called, m, 2 * n * m)


def gate(w: Writer, x: Vector) -> Vector:
    """Multiply by a gate of parameters, or one computed from the vector itself."""
    w.kind("gate")
    n = x.width
    weight = matrix(w, n, n) if n <= 6 and w.affords(3 * n * n) else None
    if weight is None:
        p = w.values(n)
        opened = f"mg.sigmoid({p}[i])"
    else:
        total = f"sum({weight('i', 'j')}*{x.name}[j] for j in range({n}))"
        opened = w.pick("mg.sigmoid({})", "mg.tanh({})", "(1 - mg.sigmoid({}))").format(total)
    g = w.let(f"[{opened} for i in range({n})]", 3 * n * n if weight else 2 * n)
    through = w.pick(
        "{g}[i]*{x}[i]", "{g}[i]*{x}[i] + (1 - {g}[i])*mg.tanh({x}[i])", "{x}[i] / (2 + {g}[i])"
    )
    return w.vector(f"[{through.format(g=g, x=x.name)} for i in range({n})]", n, 4 * n)


def scale(w: Writer, x: Vector) -> Vector:
    """Scale and shift each element, perhaps taken in another order."""
    w.kind("gain")
    n = x.width
    factor, added = matrix(w, n, 1)("i", "0"), bias(w, n)
    if w.chance(0.3):
        factor = f"{w.values(n)}[{w.indices(n)}[i]]"
    element = f"{x.name}[i]" if w.chance(0.6) else f"{x.name}[{w.indices(n)}[i]]"
    written = w.pick("{x}*{g}", "{g}*{x}", "{x} / (1.5 + mg.tanh({g}))", "{x} - {g}", "{g} - {x}")
    written = written.format(x=element, g=factor)
    if added is not None:
        written += w.pick(" + ", " - ") + added("i")
    return w.vector(f"[{written} for i in range({n})]", n, 4 * n)


def repeats(w: Writer, x: Vector) -> Vector:
    """Combine elements and parameters that are repeated in different rhythms."""
    w.kind("repeats")
    m = w.rng.choice((4, 6, 8, 12))
    a = w.rng.choice([k for k in range(1, m + 1) if m % k == 0 and m // k <= x.width])
    b = w.rng.choice([k for k in range(1, m + 1) if m % k == 0])
    element, p = f"{x.name}[i // {a}]", f"{w.values(b)}[i % {b}]"
    written = w.pick("{x} * {p}", "{p} * {x} * {x}", "mg.tanh({x} - {p})", "mg.hypot({x}, {p})")
    return w.vector(f"[{written.format(x=element, p=p)} for i in range({m})]", m, 3 * m)


def norm(w: Writer, x: Vector) -> Vector:
    """Normalise: layer norm, RMS norm, softmax or unit length."""
    n = x.width
    name = w.pick("layer norm", "RMS norm", "softmax", "unit length")
    w.kind("norm")
    if name == "softmax":
        shift = w.let(f"mg.stop_gradient(functools.reduce(mg.maximum, {x.name}))", n)
        less = f" - {shift}" if w.chance(0.5) else ""
        e = w.let(f"[mg.exp(mg.tanh(v){less}) for v in {x.name}]", 3 * n)
        total = w.let(f"sum({e})", n)
        return w.vector(f"[v / {total} for v in {e}]", n, n)
    if name == "unit length":
        length = w.let(f"mg.sqrt(0.1 + sum(v * v for v in {x.name}))", 2 * n)
        return w.vector(f"[v / {length} for v in {x.name}]", n, n)
    mean = w.let(f"sum({x.name}) / {n}", n) if name == "layer norm" else w.number()
    c = w.let(f"[v - {mean} for v in {x.name}]", n)
    power = w.pick("** -0.5", "** 0.5")
    spread = w.let(f"(sum(v ** 2 for v in {c}) / {n} + 0.03) {power}", 2 * n)
    by = "*" if "-" in power else "/"
    if w.chance(0.6):
        gain, added = w.values(n), bias(w, n)
        end = f" + {added('i')}" if added else ""
        return w.vector(f"[{gain}[i] * {c}[i] {by} {spread}{end} for i in range({n})]", n, 3 * n)
    return w.vector(f"[v {by} {spread} for v in {c}]", n, n)


def skip(w: Writer, x: Vector) -> Vector:
    """Combine with an earlier vector: add, multiply or append."""
    w.kind("skip connection")
    y = w.rng.choice(w.vectors) if w.vectors else x
    if y.width == x.width and w.chance(0.7):
        op = w.pick("a + b", "a - b", "a * b", "mg.maximum(a, 0.9 * b + 0.0113)", "a + 0.5 * b")
        return w.vector(f"[{op} for a, b in zip({x.name}, {y.name})]", x.width, 2 * x.width)
    if x.width + y.width > 17:
        return x
    return w.vector(f"[*{x.name}, *{y.name}]", x.width + y.width, 0)


def rearrange(w: Writer, x: Vector) -> Vector:
    """Reorder the elements, or select some."""
    w.kind("permutation")
    n = x.width
    if w.chance(0.4):
        return w.vector(f"[{x.name}[i] for i in {w.indices(n)}]", n, 0)
    if w.chance(0.5):
        return w.vector(f"{x.name}[::-1]", n, 0)
    step = w.rng.randint(1, 3)
    return w.vector(f"{x.name}[::{step}]", -(-n // step), 0)


def pairs(w: Writer, x: Vector) -> Vector:
    """Multiply elements: bilinear forms, or neighbours."""
    w.kind("products")
    n = x.width
    if n > 7 or w.chance(0.4) or not w.affords(6 * n * n):
        return w.vector(f"[mg.tanh({x.name}[i - 1] * {x.name}[i]) for i in range({n})]", n, 2 * n)
    m = w.rng.randint(1, 3)
    weight = [matrix(w, n, n) for _ in range(m)]
    where = w.pick("", " if i < j", " if i <= j", " if i != j") if n > 1 else ""
    totals = [
        f"sum(({q('i', 'j')})*{x.name}[i]*{x.name}[j] for i in range({n})"
        f" for j in range({n}){where})"
        for q in weight
    ]
    return w.vector(f"[{', '.join(f'mg.tanh({t} / {n})' for t in totals)}]", m, 3 * n * n * m)


def experts(w: Writer, x: Vector) -> Vector:
    """Mix experts, weighted by a softmax."""
    n, k, m = x.width, w.rng.randint(2, 3), w.rng.randint(1, 4)
    if not w.affords(4 * n * k * (m + 1)):
        return x
    w.kind("mixture")
    chooser, outputs = w.values(k, n), w.values(k, m, n)
    e = w.let(
        f"[mg.exp(mg.tanh(sum(q*v for q, v in zip(r, {x.name})))) for r in {chooser}]", 3 * n * k
    )
    total = w.let(f"sum({e})", k)
    o = w.let(
        f"[[mg.sin(sum(q*v for q, v in zip(r, {x.name}))) for r in rows] for rows in {outputs}]",
        2 * n * k * m,
    )
    return w.vector(
        f"[sum({e}[k] / {total} * {o}[k][i] for k in range({k})) for i in range({m})]", m, 3 * k * m
    )


STEPS = {
    dense: 8,
    stack: 5,
    neuron: 4,
    record: 3,
    arrays: 1,
    distance: 2,
    of_nn: 2,
    gate: 2,
    scale: 3,
    repeats: 2,
    norm: 2,
    activation: 2,
    skip: 2,
    rearrange: 1,
    pairs: 1,
    experts: 2,
}
