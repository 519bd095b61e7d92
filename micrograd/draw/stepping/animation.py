"""A picture that plays its narration by itself: an SVG whose style sheet moves it, without scripts.

Without the animation (on paper, where less motion is asked for, in a program that knows no
animations) it is the finished picture, which is also its first frame.
"""

from __future__ import annotations

from collections.abc import Iterator

from micrograd.draw.diagram.picture import Picture, shape
from micrograd.draw.diagram.placing import LETTER, LINE, PAD, TOP, safe
from micrograd.draw.scene.labels import number
from micrograd.draw.stepping.narration import Narration
from micrograd.draw.stepping.views import Views
from micrograd.engine import Value
from micrograd.graph.steps import Step
from micrograd.value.identity import IdentityDict

HOLD, FORWARD, BACKWARD, END = 2.0, 1.2, 2.4, 5.0  # seconds: finished picture, steps, pause
TRAVEL = 0.5  # the part of a backward step in which the product is on its way
LONGEST = 200  # steps that somebody may still want to watch

_STYLE = """
.picture .when { opacity: 0; }
.picture .hot { fill: none; stroke-width: 3; }
.picture .caption { text-anchor: middle; font-weight: 600; }
.picture .forward .hot { stroke: var(--forward); }
.picture .forward .caption { fill: var(--forward); }
.picture .backward .hot { stroke: var(--backward); }
.picture .backward .caption, .picture .total { fill: var(--backward); }
.picture .total { text-anchor: end; font-weight: 650; }
@media (prefers-reduced-motion: reduce) { .picture * { animation: none !important; } }
"""


def animated(narration: Narration, alt: str) -> str:
    """Return the picture of all Values, moving; ValueError when that would be too long to watch."""
    count = sum(1 for v in narration.values if v.parents) + len(narration.steps)
    if count > LONGEST:
        raise ValueError(
            f"an animation of {count:,} steps would play for {count * 2 // 60} minutes: save a "
            f"page (.html), or animate a smaller graph, of at most {LONGEST} steps"
        )
    drawn = Views(narration, fold=None).first
    film = _Film(narration, drawn)
    film.play()
    style = f"<style>{' '.join(_STYLE.split())}{''.join(film.rules)}</style>"
    return drawn.svg(alt, style + "".join(film.parts), footer=film.captions)


class _Film:
    """Collects what is to be seen when: style rules, and elements that lie over the picture."""

    def __init__(self, narration: Narration, drawn: Picture) -> None:
        self.narration = narration
        self.drawn = drawn
        self.kinds = {box.key: box.kind for box in drawn.boxes}
        self.keys = IdentityDict((v, f"v{i}") for i, v in enumerate(narration.values))
        self.rules: list[str] = []
        self.parts: list[str] = []
        self.captions: list[str] = []
        self.now = HOLD
        results = sum(1 for v in narration.values if v.parents)
        self.length = HOLD + FORWARD * (results + 1) + BACKWARD * len(narration.steps) + END

    def play(self) -> None:
        """Run through the narration once."""
        narration = self.narration
        for v in narration.values:
            if v.parents:
                self._forward(v)
        root = narration.root
        self._appear(root, "grad", self.now)
        self._scene("backward", f"{narration.gradients[root]} = 1", FORWARD, [root], [])
        final = {step.operand: step for step in narration.steps}
        arrivals: IdentityDict[Value, tuple[float, Step]] = IdentityDict()
        for step in narration.steps:
            arrived = self._backward(step)
            if step.operand in arrivals:
                self._running_total(*arrivals[step.operand], arrived)
            arrivals[step.operand] = arrived, step
        for v in narration.values:
            if v in final:
                self._appear(v, "grad", arrivals[v][0])
            elif v is not root:
                self._appear(v, "grad", self.length - END)
        ending = f"{narration.names[root]} rises by grad per unit of each Value"
        self._caption(ending, f'class="caption" {self._visible_again(HOLD, self.now)}')

    def _forward(self, v: Value) -> None:
        self._appear(v, "data", self.now)
        arrows = [f"{self.keys[x]}-{self.keys[v]}-{i}" for i, x in enumerate(v.parents)]
        self._scene("forward", self.narration.forward_line(v), FORWARD, [v], arrows)

    def _backward(self, step: Step) -> float:
        """Show one step; give the time at which the product arrives."""
        tail, head = self.keys[step.operand], self.keys[step.consumer]
        arrow = f"{tail}-{head}-{step.position}"
        points = list(_points(self.drawn.paths[arrow]))
        begin, arrived = self.now, self.now + TRAVEL * BACKWARD
        place = self.drawn.places[tail]
        dock = place.x + place.width / 2, place.y + place.height + 6
        chips = ""
        if step.local is not None:
            chips = _chip("chip rule", f"\u00d7 {number(step.local)}", *points[len(points) // 2])
        line = self.narration.backward_line(step)
        self._scene("backward", line, BACKWARD, [step.consumer, step.operand], [arrow], chips)
        name = self._moving(points[::-1], dock, begin, arrived, self.now)
        pill = _chip("chip", f"+= {number(step.product)}", 0, 0)
        self.parts.append(f'<g class="when" style="animation:{name}">{pill}</g>')
        return arrived

    def _scene(
        self,
        phase: str,
        caption: str,
        seconds: float,
        values: list[Value],
        arrows: list[str],
        chips: str = "",
    ) -> None:
        """Mark Values and arrows, and say what happens, for some seconds."""
        window = self._window(self.now, self.now + seconds)
        paths = [f'<path class="hot" d="{self.drawn.paths[key]}"/>' for key in arrows]
        marks = [self._outline(self.keys[v]) for v in values]
        self.parts.append(f'<g class="when {phase}" style="animation:{window}">')
        self.parts += [*paths, *marks, chips]
        self._caption(caption, 'class="caption"')
        self.parts.append("</g>")
        self.now += seconds

    def _outline(self, key: str) -> str:
        x, y, width, height = self.drawn.places[key]
        outline = shape(self.kinds[key], width, height, "hot")
        return f'<g transform="translate({x} {y})">{outline}</g>'

    def _caption(self, text: str, attributes: str) -> None:
        self.captions.append(text)
        x, y = self.drawn.width / 2, self.drawn.height + LINE - 4
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{safe(text)}</text>')

    def _running_total(self, since: float, step: Step, until: float) -> None:
        place = self.drawn.places[self.keys[step.operand]]
        x, y = place.x + place.width - PAD, place.y + TOP + 2 * LINE
        self.parts.append(
            f'<text class="when total" style="animation:{self._window(since, until)}" '
            f'x="{x}" y="{y:.1f}">{number(step.total)}</text>'
        )

    def _appear(self, v: Value, slot: str, time: float) -> None:
        """Hide a number of the picture when the narration begins, and show it in its time."""
        where = f'[data-box="{self.keys[v]}"] [data-slot={slot}]'
        self.rules.append(f"{where}{{animation:{self._again(HOLD, time)}}}")

    # Keyframes -----------------------------------------------------------------------------

    def _visible_again(self, gone: float, back: float) -> str:
        return f'style="animation:{self._again(gone, back)}"'

    def _again(self, gone: float, back: float) -> str:
        return self._keyframes(
            f"{{0%{{opacity:1}}{self._at(gone)}{{opacity:0}}{self._at(back)},to{{opacity:1}}}}",
            "step-end",
        )

    def _window(self, begin: float, end: float) -> str:
        return self._keyframes(
            f"{{0%{{opacity:0}}{self._at(begin)}{{opacity:1}}{self._at(end)},to{{opacity:0}}}}",
            "step-end",
        )

    def _moving(
        self,
        points: list[tuple[float, float]],
        dock: tuple[float, float],
        begin: float,
        arrived: float,
        end: float,
    ) -> str:
        """Keyframes along a curve, then to the place where the product is added."""
        soon = 0.001
        frames = [f"0%,{self._at(begin)}{{opacity:0;{_to(points[0])}}}"]
        stops = [*points, dock]
        for i, point in enumerate(stops):
            time = begin + soon + (arrived - begin - soon) * i / (len(stops) - 1)
            frames.append(f"{self._at(time)}{{opacity:1;{_to(point)}}}")
        frames.append(f"{self._at(end - soon)}{{opacity:1;{_to(dock)}}}")
        frames.append(f"{self._at(end)},to{{opacity:0;{_to(dock)}}}")
        return self._keyframes(f"{{{''.join(frames)}}}", "linear")

    def _keyframes(self, frames: str, timing: str) -> str:
        name = f"k{len(self.rules)}"
        self.rules.append(f"@keyframes {name}{frames}")
        return f"{name} {self.length:.2f}s {timing} infinite"

    def _at(self, seconds: float) -> str:
        return f"{100 * seconds / self.length:.3f}%"


def _to(point: tuple[float, float]) -> str:
    return f"transform:translate({point[0]:.1f}px,{point[1]:.1f}px)"


def _chip(kind: str, text: str, x: float, y: float) -> str:
    width = LETTER * len(text) + 12
    return (
        f'<g class="{kind}" transform="translate({x:.1f} {y:.1f})">'
        f'<rect x="{-width / 2:.1f}" y="-10" width="{width:.1f}" height="20" rx="10"/>'
        f'<text y="4.5">{safe(text)}</text></g>'
    )


def _points(path: str, per_curve: int = 6) -> Iterator[tuple[float, float]]:
    """Points along a path of cubic curves, from its start to its end."""
    numbers = [float(x) for x in path[1:].replace("C", " ").split()]
    knots = list(zip(numbers[::2], numbers[1::2]))
    yield knots[0]
    for i in range(0, len(knots) - 1, 3):
        curve = knots[i : i + 4]
        for k in range(1, per_curve + 1):
            t = k / per_curve
            weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            yield (
                sum(w * x for w, (x, _) in zip(weights, curve)),
                sum(w * y for w, (_, y) in zip(weights, curve)),
            )
