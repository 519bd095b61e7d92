"""The exercise of the live page: matrices, examples, and what a reader may do with them."""

from __future__ import annotations

from typing import Any, NamedTuple

from micrograd.examples import ng_ex4

from micrograd.explain import deltas
from micrograd.explain.course.network import targets_of

Rows = list[list[float]]

AFFORDABLE = 30_000  # weights times examples that a browser computes at once


class Exercise(NamedTuple):
    """Matrices Theta, examples with their targets, lambda, and what the reader looks at."""

    thetas: list[Rows]
    inputs: Rows
    targets: Rows
    lam: float = 0.0
    first: int = 1  # the examples in use, of all that were given: first, first + 1 ...
    count: int = 3
    example: int = 1  # the one that is drawn, of those in use
    chosen: tuple[Any, ...] = ("Theta2", 1, 0)  # a number: its name and its subscripts

    @classmethod
    def published(cls) -> Exercise:
        """Return the check case of the tutorial."""
        net = ng_ex4()
        found = deltas(net.model, net.X, net.y)
        return cls([m.rows for m in found.Theta.values()], net.X, found.recording.labels)

    @classmethod
    def of(cls, matrices: dict[str, Rows], before: Exercise) -> Exercise:
        """Take matrices Theta1, Theta2 ..., X, y and lambda; what is missing stays as it was."""
        numbers = sorted(int(n[5:]) for n in matrices if n[:5] == "Theta" and n[5:].isdigit())
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError(f"the matrices are Theta1, Theta2 ..., got Theta{numbers}")
        if not numbers and not {"X", "y", "lambda"} & set(matrices):
            names = ", ".join(matrices) or "none"
            raise ValueError(f"there should be matrices Theta1, Theta2, X and y; found: {names}")
        thetas = [matrices[f"Theta{n}"] for n in numbers] or before.thetas
        inputs = matrices.get("X", before.inputs)
        if "y" in matrices:
            labels = matrices["y"]
            if len(labels) == 1 != len(inputs):  # a row of labels
                labels = [[label] for label in labels[0]]
            units = len(thetas[-1])
            targets = [targets_of(y, units, i) for i, y in enumerate(labels, start=1)]
        else:
            targets = before.targets
        if len(inputs) != len(targets):
            raise ValueError(f"X has {len(inputs)} examples and y has {len(targets)}")
        lam = matrices.get("lambda", [[before.lam]])[0][0]
        taken = cls(thetas, inputs, targets, lam, chosen=("Theta1", 1, 0))
        return taken._replace(count=min(len(inputs), taken.most))

    def with_number(self, name: str, subscripts: list[int], number: float) -> Exercise:
        """Return the exercise with another number in one place."""
        if name == "lambda":
            return self._replace(lam=number)
        column = subscripts[-1]
        if name == "x":
            return self._replace(inputs=_with(self.inputs, self.place, column - 1, number))
        if name == "y":
            return self._replace(targets=_with(self.targets, self.place, column - 1, number))
        thetas, level = list(self.thetas), int(name[5:]) - 1
        thetas[level] = _with(thetas[level], subscripts[0] - 1, column, number)
        return self._replace(thetas=thetas)

    def using(self, first: int, count: int) -> Exercise:
        """Return the exercise with other examples in use."""
        total = len(self.inputs)
        if not 1 <= first <= first + count - 1 <= total:
            raise ValueError(f"there are examples 1 to {total}, not {count} from {first} on")
        if count > self.most:
            raise ValueError(
                f"{count} examples are too many for a browser; with this network it takes "
                f"{self.most}. On your own machine `deltas` takes all of them: see page 10"
            )
        return self._replace(first=first, count=count, example=1)

    @property
    def most(self) -> int:
        """The most examples that are computed at once."""
        weights = sum(len(theta) * len(theta[0]) for theta in self.thetas)
        return max(1, AFFORDABLE // weights)

    @property
    def place(self) -> int:
        """Where the example that is drawn stands, from 0."""
        return self.first + self.example - 2

    @property
    def used(self) -> tuple[Rows, Rows]:
        """The inputs and the targets of the examples in use."""
        part = slice(self.first - 1, self.first - 1 + self.count)
        return self.inputs[part], self.targets[part]

    def computed(self) -> Any:
        """Run backpropagation on the examples in use."""
        return deltas(self.thetas, *self.used, self.lam)

    def stepped(self, found: Any, alpha: float) -> Exercise:
        """Return the exercise after a step of gradient descent with the D that was found."""
        moved = [
            [[w - alpha * d for w, d in zip(*rows)] for rows in zip(theta, D)]
            for theta, D in zip(self.thetas, found.D.values())
        ]
        return self._replace(thetas=moved)


def _with(rows: Rows, row: int, column: int, number: float) -> Rows:
    """Return a copy of a matrix with another number in it."""
    changed = list(rows)
    changed[row] = [number if j == column else x for j, x in enumerate(rows[row])]
    return changed
