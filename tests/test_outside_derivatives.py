"""Derivatives against answers that others have published."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import known
from problems import adbench, gradbench, nist

import micrograd as mg
from micrograd import Value, grad, hessian, jacobian, ops, value_and_grad

# Small formulas ---------------------------------------------------------------------------------

ALIASES = {"mul": "multiply", "div": "divide", "pow": "power", "atan2": "arctan2"}
ALIASES |= {f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}
POINTS = [row for row in known("derivatives.json")["rows"] if len(row) == 5]


def function(name: str) -> Any:
    if "**" in name:
        base, exponent = (None if part == "x" else float(part) for part in name.split("**"))
        return lambda x: (x if base is None else base) ** (x if exponent is None else exponent)
    return ops.TABLE[ALIASES.get(name, name)]


@pytest.mark.parametrize(("name", "x", "f", "df", "d2f"), POINTS)
def test_second_derivatives_of_every_row(
    name: str, x: float, f: float, df: float, d2f: float
) -> None:
    v = Value(x)
    y = function(name)(v)
    first = grad(y, v)
    assert abs(first.data - df) <= 1e-12 * abs(df) + 1e-15
    if (name, x) == ("x**0.5", 1e-300):  # -2.5e449; a power that overflows raises, as on floats
        with pytest.raises(OverflowError):
            grad(first, v)
        return
    second = grad(first, v).data
    assert second == d2f or abs(second - d2f) <= 1e-12 * (abs(d2f) + abs(df)) + 1e-15


FUNCTIONS = {name: case for name, case in known("functions.json").items() if "expr" in case}
NAMES: dict[str, Any] = {"sin": mg.sin, "cos": mg.cos, "tan": mg.tan, "exp": mg.exp, "log": mg.log}
NAMES |= {"sqrt": mg.sqrt, "tanh": mg.tanh, "atan": mg.arctan, "pi": math.pi}


@pytest.mark.parametrize("case", FUNCTIONS.values(), ids=FUNCTIONS)
def test_published_functions(case: dict[str, Any]) -> None:
    def f(x: Any) -> Any:
        return eval(case["expr"], {**NAMES, **dict(zip(case["vars"], x))})

    value, gradient = value_and_grad(f)(case["point"])
    assert value == pytest.approx(case["f"], rel=1e-11, abs=1e-11)
    assert gradient == pytest.approx(np.array(case["grad"]), rel=1e-11, abs=1e-11)
    if "hessian" in case:
        assert hessian(f)(case["point"]) == pytest.approx(
            np.array(case["hessian"]), rel=1e-11, abs=1e-11
        )


def normal_cdf(x: Any) -> Any:
    return mg.erfc(-x / math.sqrt(2)) / 2


def black_scholes(x: Any, call: float) -> Any:
    spot, strike, rate, dividend, volatility, time = x
    spread = volatility * time**0.5
    d1 = (mg.log(spot / strike) + (rate - dividend + volatility**2 / 2) * time) / spread
    return call * (
        spot * mg.exp(-dividend * time) * normal_cdf(call * d1)
        - strike * mg.exp(-rate * time) * normal_cdf(call * (d1 - spread))
    )


OPTIONS = known("functions.json")["black_scholes"]


@pytest.mark.parametrize("case", OPTIONS, ids=[case["case"] for case in OPTIONS])
def test_black_scholes_prices_and_greeks(case: dict[str, Any]) -> None:
    *x, call = case["args(S,K,r,q,sigma,T,call=+1/put=-1)"]
    price, greeks = value_and_grad(black_scholes)(x, call)
    assert price == pytest.approx(case["price"], rel=1e-11)
    names = ["d_S", "d_K", "d_r", "d_q", "d_sigma", "d_T"]
    assert greeks == pytest.approx(np.array([case[name] for name in names]), rel=1e-11)
    second = hessian(black_scholes)(x, call)
    assert second[0, 0] == pytest.approx(case["gamma"], rel=1e-11)
    assert second == pytest.approx(second_order_greeks(*x, call), rel=1e-9, abs=1e-9)


def second_order_greeks(*arguments: Any) -> Any:
    """Compute the Hessian to 50 digits, by differences of the formula in mpmath."""
    import mpmath

    *x, call = arguments

    def price(s: Any, k: Any, r: Any, q: Any, v: Any, t: Any) -> Any:
        d1 = (mpmath.log(s / k) + (r - q + v * v / 2) * t) / (v * mpmath.sqrt(t))
        d2 = d1 - v * mpmath.sqrt(t)
        return call * (
            s * mpmath.exp(-q * t) * mpmath.ncdf(call * d1)
            - k * mpmath.exp(-r * t) * mpmath.ncdf(call * d2)
        )

    with mpmath.workdps(50):
        point = [mpmath.mpf(e) for e in x]
        unit = np.eye(len(x), dtype=int)
        return np.array(
            [[float(mpmath.diff(price, point, tuple(map(int, a + b)))) for a in unit] for b in unit]
        )


@pytest.mark.parametrize("case", known("functions.json")["hilbert"], ids=lambda case: case["n"])
def test_determinants_of_hilbert_matrices(case: dict[str, Any]) -> None:
    n = case["n"]
    matrix = [[1 / (i + j + 1) for j in range(n)] for i in range(n)]
    determinant, gradient = value_and_grad(gradbench.determinant)(matrix)
    # The entries of the matrix are rounded, and a determinant feels that by the condition number.
    condition = float(np.linalg.cond(matrix))
    exact = float(Fraction(case["det"]))
    assert determinant == pytest.approx(exact, rel=1e-15 * condition)
    cofactors = exact * np.array(case["inverse_integers"]).T
    assert gradient == pytest.approx(cofactors, rel=1e-15 * condition)


@pytest.mark.parametrize("n", known("functions.json")["speelpenning"]["n"])
def test_speelpennings_product(n: int) -> None:
    x = [(i + 1) / (i + 2) for i in range(n)]
    product, gradient = value_and_grad(math.prod)(x)
    assert product == pytest.approx(1 / (n + 1), rel=1e-13)
    assert gradient == pytest.approx(1 / (n + 1) / np.array(x), rel=1e-13)
    second = hessian(math.prod)(x)
    outer = np.outer(1 / np.array(x), 1 / np.array(x)) / (n + 1)
    assert second == pytest.approx(outer - np.diag(np.diag(outer)), rel=1e-12)


# ADBench ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def golden(outside_known: Path) -> Any:
    return json.loads((outside_known / "adbench" / "golden.json").read_text(encoding="utf-8"))


@pytest.mark.outside
def test_gaussian_mixture(outside_known: Path, golden: Any) -> None:
    mixture = adbench.read_mixture(outside_known / "adbench" / "gmm_test.txt")
    f = adbench.mixture_log_likelihood
    value, gradient = value_and_grad(f)(mixture.parameters, mixture)
    assert value == pytest.approx(golden["gmm_test.txt"]["objective"], rel=1e-10)
    assert gradient == pytest.approx(np.array(golden["gmm_test.txt"]["gradient"]), rel=1e-10)


@pytest.mark.outside
def test_gaussian_mixture_of_a_thousand_points(outside_known: Path) -> None:
    mixture = adbench.read_mixture(outside_known / "adbench" / "gmm_1k_d2_K5.txt")
    f = adbench.mixture_log_likelihood
    value, gradient = value_and_grad(f)(mixture.parameters, mixture)
    assert value == pytest.approx(f(mixture.parameters, mixture), rel=1e-12)
    direction = np.random.default_rng(1).normal(size=len(gradient))
    step = 1e-5 * direction
    ahead, behind = (f(mixture.parameters + s, mixture) for s in (step, -step))
    assert gradient @ direction == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)


@pytest.mark.outside
def test_bundle_adjustment(outside_known: Path, golden: Any) -> None:
    camera, point, weight, seen = adbench.read_observation(outside_known / "adbench/ba_test.txt")
    x = np.concatenate([camera, point, [weight]])
    expected = golden["ba_test.txt"]
    error = adbench.reprojection_error(x, seen)
    assert error == pytest.approx(expected["reproj_err_each_obs"], rel=1e-10)
    rows = expected["jacobian_nonzeros_row_major_first_obs_rows"]
    result = jacobian(adbench.reprojection_error)(x, seen)
    assert result == pytest.approx(np.array([rows["row0"], rows["row1"]]), rel=1e-10)
    assert adbench.weight_error(weight) == pytest.approx(expected["w_err_each_obs"], rel=1e-10)
    assert grad(adbench.weight_error)(weight) == pytest.approx(expected["dw_err_dw"], rel=1e-10)


@pytest.mark.outside
def test_lstm_860_thousand_operations_deep_in_time(outside_known: Path, golden: Any) -> None:
    sequences = adbench.read_sequences(outside_known / "adbench" / "lstm_l2_c1024.txt")
    value, gradient = value_and_grad(adbench.lstm_loss)(sequences.parameters, sequences)
    expected = golden["lstm_l2_c1024.txt"]
    assert value == pytest.approx(expected["objective"], abs=5e-9)  # printed to 8 digits
    assert gradient == pytest.approx(np.array(expected["gradient"]), rel=1e-10, abs=1e-18)


# GradBench --------------------------------------------------------------------------------------


def gradbench_file(folder: Path, name: str) -> Any:
    return json.loads((folder / "gradbench" / name).read_text(encoding="utf-8"))


@pytest.mark.outside
@pytest.mark.parametrize("position", range(3))
def test_determinants_by_minors(outside_known: Path, position: int) -> None:
    case = gradbench_file(outside_known, "det.json")["cases"][position]
    matrix = np.reshape(case["input"]["A"], (case["input"]["ell"],) * 2).tolist()
    value, gradient = value_and_grad(gradbench.determinant)(matrix)
    assert value == pytest.approx(case["primal"], rel=1e-10)
    assert gradient.ravel() == pytest.approx(np.array(case["gradient"]), rel=1e-10)


@pytest.mark.outside
@pytest.mark.parametrize("position", range(5))
def test_polynomial_least_squares(outside_known: Path, position: int) -> None:
    case = gradbench_file(outside_known, "llsq.json")["cases"][position]
    value, gradient = value_and_grad(gradbench.least_squares)(
        case["input"]["x"], case["input"]["n"]
    )
    assert value == pytest.approx(case["primal"], rel=1e-10)
    assert gradient == pytest.approx(np.array(case["gradient"]), rel=1e-10)


MODES: dict[str, Any] = {"r": grad, "f": gradbench.forward}


@pytest.mark.outside
@pytest.mark.parametrize("modes", ["fr", "rf"])
def test_the_saddle_by_nested_derivatives(outside_known: Path, modes: str) -> None:
    case = gradbench_file(outside_known, "nested_and_hello.json")["saddle"]
    outer, inner = (MODES[mode] for mode in modes)
    found = gradbench.saddle(outer, inner, case["input"]["start"])
    assert found == pytest.approx(case["output"], rel=1e-10)


@pytest.mark.outside
def test_the_particle_by_nested_derivatives(outside_known: Path) -> None:
    case = gradbench_file(outside_known, "nested_and_hello.json")["particle"]
    best = case["output"]
    slopes = {}
    for outer, inner in case["functions"]:
        landing = gradbench.landing(MODES[inner])
        slopes[outer + inner] = [MODES[outer](landing)([w])[0] for w in (0.0, best)]
    landing = gradbench.landing(grad)
    difference = (landing([1e-5]) - landing([-1e-5])) / 2e-5
    for at_start, at_best in slopes.values():
        assert at_start == pytest.approx(difference, rel=1e-8)
        assert at_start == pytest.approx(slopes["rr"][0], rel=1e-10)
        assert abs(at_best) < 1e-3 * abs(at_start)  # where the descent stopped


# Regressions of NIST ----------------------------------------------------------------------------

NAMES_OF_NIST = sorted(nist.MODELS)
# From this start the algorithm takes a first step so long that exp(-b2 x) vanishes for all x.
# There the sum of squares is flat, and it stops; `trf`, which keeps to a trust region, does not.
NOT_BY_LM = {("BoxBOD", 0)}


@pytest.fixture
def regression(outside_known: Path, request: pytest.FixtureRequest) -> nist.Regression:
    return nist.read(outside_known / "nist_strd" / f"{request.param}.dat")


@pytest.mark.outside
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("regression", NAMES_OF_NIST, indirect=True)
def test_nist_regressions_are_fitted(regression: nist.Regression, start: int) -> None:
    fit = nist.fit(regression, start, "trf" if (regression.name, start) in NOT_BY_LM else "lm")
    assert fit == pytest.approx(regression.certified, rel=0.5e-6)


@pytest.mark.outside
@pytest.mark.parametrize("regression", NAMES_OF_NIST, indirect=True)
def test_the_gradient_vanishes_at_nists_parameters(regression: nist.Regression) -> None:
    b = regression.certified
    residuals = regression.residuals(b)
    gradient = grad(lambda b: (regression.residuals(b) ** 2).sum() / 2)(b)
    derivatives = jacobian(regression.residuals)(b)
    terms = abs(derivatives).T @ abs(residuals)
    assert (abs(gradient - derivatives.T @ residuals) <= 1e-12 * terms).all()
    # The parameters are given to 11 digits: what half a unit in the last one may move.
    rounding = np.array([0.5 * 10.0 ** (math.floor(math.log10(abs(e))) - 10) for e in b])
    moved = abs(derivatives.T @ derivatives) @ rounding
    assert (abs(gradient) <= 1e-10 * terms + 1.1 * moved).all()
