"""The source of a random function: its lines, its parameters, and where it finds these."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from micrograd import Value

# How the function refers to the parameters: as lifting groups them by their names, it matters.
HOLDINGS = {
    "global": "{}",
    "closure": "{}",
    "defaults": "{}",
    "module": "self.{}",
    "decorated": "self.{}",
    "dict": "held[{!r}]",
    "hidden": "hidden({!r})",  # where no name is found
}
Matrix = Callable[[str, str], str]  # gives an element's source for those of its indices


class Vector(NamedTuple):
    """A list of scalars in the function."""

    name: str
    width: int


class Rows(NamedTuple):
    """A list of `length` lists of `width` scalars in the function."""

    name: str
    length: int
    width: int


State = Any  # what a step takes and gives: a Vector or Rows


class Writer:
    """A function being written; `rng` belongs to the step that is writing."""

    def __init__(self, rng: random.Random, holding: str, most: int) -> None:
        self.rng = rng
        self.holding = holding
        self.lines: list[str] = []
        self.parameters: dict[str, Any] = {}  # nested lists, or modules, by name
        self.scales: dict[str, float] = {}
        self.kinds: Counter[str] = Counter()
        self.vectors: list[Vector] = []  # to be used again
        self.matrices: list[tuple[Matrix, int, int]] = []  # to be tied, with rows and columns
        self.pool: str | None = None  # a list from which many steps take
        self.first = "", 0  # the first argument and its length, where it is a list
        self.exact: list[str] = []  # scalars of arguments that hold multiples of 1/2
        self.missing = False  # whether some numbers are nan
        self.labels: list[tuple[str, int]] = []  # arguments of integers, and below what they are
        self.looked_up = False  # whether some scalars are entries of a table
        self.slopes = False  # whether all was differentiated already
        self.paths = 1  # through the ifs, at most
        self.moves = True  # whether the parameters' numbers may change between calls
        self.result_is_scalar = rng.random() < 0.6
        self._most = most  # operations
        self.large = most > 1000
        self._count = 0
        self.cost = 0

    # Draws -----------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def pick(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def width(self) -> int:
        """Draw a width from 1 to 17, mostly small; up to 40 in the few cases that may be large."""
        if self.large and self.chance(0.3):
            return self.rng.randint(18, 40)
        return self.rng.choice((1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8, 9, 15, 16, 17))

    def number(self, low: float = -1.0, high: float = 1.0) -> str:
        """Write a number that nothing computed equals by chance."""
        return repr(round(self.rng.uniform(low, high), 4) + self.rng.uniform(-1e-5, 1e-5))

    def indices(self, count: int) -> str:
        """Write a permutation: any, or that of a matrix transposed, which has steps of its own."""
        order = list(range(count))
        sizes = [k for k in order if k > 1 and count % k == 0]
        if sizes and self.chance(0.6):
            k = self.rng.choice(sizes)
            order = [i % k * (count // k) + i // k for i in order]
        else:
            self.rng.shuffle(order)
        return f"({', '.join(map(str, order))},)"

    # Writing ---------------------------------------------------------------------------------

    def kind(self, *names: str) -> None:
        """Note what occurs in this case."""
        self.kinds.update(names)

    def affords(self, cost: int) -> bool:
        """Return whether so many more operations are allowed."""
        return self.cost + cost <= self._most

    def let(self, expression: str, cost: int = 1) -> str:
        """Write an assignment and return its name."""
        name = f"h{self._next()}"
        self.lines.append(f"{name} = {expression}")
        self.cost += cost
        return name

    def line(self, text: str) -> None:
        self.lines.append(text)

    def vector(self, expression: str, width: int, cost: int) -> Vector:
        found = Vector(self.let(expression, cost), width)
        self.vectors.append(found)
        return found

    def rows(self, expression: str, length: int, width: int, cost: int) -> Rows:
        return Rows(self.let(expression, cost), length, width)

    def values(self, *shape: int, scale: float = 1.0) -> str:
        """Make parameters in nested lists of this shape; return how the source refers to them."""

        def build(sizes: Sequence[int]) -> Any:
            if not sizes:
                return Value(self.rng.uniform(-scale, scale))
            return [build(sizes[1:]) for _ in range(sizes[0])]

        return self.hold(build(shape), scale)

    def hold(self, thing: Any, scale: float = 1.0) -> str:
        """Hold parameters in any structure; return how the source refers to them."""
        name = f"p{self._next()}"
        self.parameters[name] = thing
        self.scales[name] = scale
        return self.reference(name)

    def reference(self, name: str) -> str:
        """Return how the source refers to the parameters held under this name."""
        return HOLDINGS[self.holding].format(name)

    def _next(self) -> int:
        self._count += 1
        return self._count

    def declared(self) -> list[str]:
        """List the parameters that are arguments with defaults."""
        if self.holding != "defaults":
            return []
        return [f"{name}={name}" for name in self.parameters]

    # The whole -------------------------------------------------------------------------------

    def source(self, signature: str, result: str) -> str:
        """Return the source that defines `function`."""
        body = [*self.lines, f"return {result}"]
        names = ", ".join(self.parameters)
        if self.holding in ("module", "decorated"):
            decorator = ["@mg.program"] if self.holding == "decorated" else []
            method = _indented([*decorator, f"def loss(self, {signature}):", *_indented(body)])
            given = ", ".join(f"{name}={name}" for name in self.parameters)
            lines = [
                "class Net(mg.nn.Module):",
                "    def __init__(self, **given):",
                "        vars(self).update(given)",
                *method,
                f"net = Net({given})",
                "function = net.loss",
            ]
        elif self.holding == "closure":
            inner = [f"def function({signature}):", *_indented(body)]
            lines = [f"def make({names}):", *_indented([*inner, "return function"])]
            lines.append(f"function = make({names})")
        else:
            lines = [f"def function({signature}):", *_indented(body)]
            if self.holding == "dict":
                lines.insert(0, f"held = dict({', '.join(f'{n}={n}' for n in self.parameters)})")
            elif self.holding == "hidden":
                held = ", ".join(f"{n}={n}" for n in self.parameters)
                lines.insert(0, f"hidden = functools.partial(operator.getitem, dict({held}))")
        return "\n".join(lines)


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
