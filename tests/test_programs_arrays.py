"""Programs on the arrays of other libraries: as pure functions, and called on them.

NumPy and array-api-strict are always there; JAX and PyTorch where they are installed (`make arrays`
installs them).
"""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from processes import printed
from random_cases import arguments, cases

import micrograd as mg
from micrograd import Value, ops
from micrograd.nn import MLP
from micrograd.programs import Program, ProgramError
from micrograd.programs.elsewhere.namespaces import standard
from micrograd.programs.elsewhere.operations import compute
from micrograd.programs.run.kernels import calls

LIBRARIES = ("numpy", "array_api_strict", "jax.numpy", "torch")
RANDOM = {"jax.numpy": 3}  # random programs for a library, which compiles each; 12 for others


@pytest.fixture(scope="module", params=LIBRARIES)
def xp(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Yield a library that computes in float64."""
    if request.param == "jax.numpy":
        jax = pytest.importorskip("jax")
        before = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", True)
        yield importlib.import_module(request.param)
        jax.config.update("jax_enable_x64", before)
    elif request.param == "torch":
        torch = pytest.importorskip("torch")
        pytest.importorskip("array_api_compat")
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        yield torch
        torch.set_default_dtype(before)
    else:
        yield pytest.importorskip(request.param)


@pytest.fixture(scope="module")
def jnp() -> Iterator[Any]:
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield importlib.import_module("jax.numpy")
    jax.config.update("jax_enable_x64", before)


def vector(program: Program, xp: Any) -> Any:
    return xp.asarray(np.array([p.data for p in program.parameters()], float))


def gradients(program: Program, total: Value) -> Any:
    for p in program.parameters():
        p.grad = 0.0
    total.backward()
    return np.array([p.grad for p in program.parameters()])


def assert_same(found: Any, expected: Any) -> None:
    finite = expected[np.isfinite(expected)]
    size = np.abs(finite).max() if finite.size else 1.0
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12, atol=1e-12 * size)


def assert_agree(program: Program, xp: Any, *arrays: Any) -> None:
    """Compare the function and the program on arrays of a library with the program on NumPy's."""
    expected = program(*arrays)
    slopes = gradients(program, expected.sum())
    given = [xp.asarray(np.asarray(x)) for x in arrays]
    results, found = program.function(xp)(vector(program, xp), *given)
    assert_same(results, expected.data)
    assert_same(found, slopes)
    called = program(*given)
    assert_same(called.data, expected.data)
    assert type(called.data) is type(given[0])
    assert_same(gradients(program, called.sum()), slopes)
    if called.ndim == 1:
        some, right = called[2:5].mean() + called[0], expected[2:5].mean() + expected[0]
        assert_same(gradients(program, some), gradients(program, right))


rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)), rng.normal(size=20)
W = [Value(float(x)) for x in rng.normal(size=3)]
TABLE = [[Value(float(x)) for x in row] for row in rng.normal(size=(5, 3))]
NET = MLP(3, [4, 5, 1], activation="tanh")
WIDE = MLP(3, [6, 4])


def special(x: Any) -> Any:
    """Compute what no array library has, or has elsewhere."""
    found = mg.digamma(mg.abs(x) + 1) + mg.lgamma(x * x + 1) * W[1] + mg.ndtri(mg.ndtr(W[2] * x))
    found += mg.erf(W[0] * x) + mg.erfc(x) * mg.gamma(W[0] * W[0] + x * x)
    return found + mg.logsumexp([x, W[0], W[1]]) + mg.log_ndtr(x) + mg.sinc(W[0] * x)


WORKS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "network": (lambda x, y: (NET(x) - y) ** 2, (X, Y)),
    "layers of many": (
        lambda x, y: sum(mg.relu(1 - t * z) for t, z in zip(y, WIDE(x))),
        (X, rng.normal(size=(20, 4))),
    ),
    "several results": (lambda x: [W[0] * x[1], 2.0, mg.max(x) * W[1], x[0]], (X,)),
    "choices": (lambda x: mg.where(x > 0, W[0] * mg.log(x), mg.minimum(x, W[1])), (Y,)),
    "special functions": (special, (Y,)),
    "indices": (
        lambda i: sum(a * b for a, b in zip(mg.take(TABLE, i[0]), mg.take(TABLE, i[1]))),
        (rng.integers(-5, 5, size=(20, 2)),),
    ),
    "an array": (lambda x: np.outer(x, np.array(W[:2])), (X,)),
    "no parameters": (lambda x: mg.exp(x[0]) / x[1] - x[2], (X,)),
    "paths": (lambda x: W[0] * mg.log(x) if x > 0 else (W[1] * x * x if x > -1 else W[2]), (Y,)),
}


@pytest.mark.parametrize("work", WORKS)
def test_a_library_computes_what_numpy_does(work: str, xp: Any) -> None:
    function, arrays = WORKS[work]
    assert_agree(mg.program(function), xp, *arrays)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own, outside a run
def test_every_operation_is_that_of_the_table(xp: Any) -> None:
    points = [-np.inf, -3.7, -2.0, -1.0, -0.5, -0.0, 0.0, 0.3, 1.0, 2.5, 40.0, np.inf, np.nan]
    library = standard(xp)
    for op in ops.TABLE.values():
        axes = [np.array(points)] * len(op.derivatives)
        if op.name == "polygamma":
            axes[0] = np.arange(4.0)
        operands = [x.reshape(-1) for x in np.meshgrid(*axes, indexing="ij")]
        expected = np.empty(operands[0].shape)
        for call, given in calls(op, operands, expected):
            call(*given)
        found = np.asarray(compute(library, op, [library.asarray(x) for x in operands]))
        right = np.isclose(found, expected, rtol=1e-12, atol=1e-300, equal_nan=True)
        if op.name == "lgamma":
            right |= operands[0] == -np.inf  # inf, as in Python's math; not in SciPy
        assert right.all(), (op, [x[~right] for x in operands], found[~right], expected[~right])


def test_random_programs_agree(xp: Any) -> None:
    done = number = 0
    while done < RANDOM.get(xp.__name__, 12):
        case = cases.draw(2021, number)
        number += 1
        drawn = np.random.default_rng(number)
        given = [arguments.numbers(drawn, 5, a) for a in case.arguments]
        if any(a.is_ragged for a in case.arguments) or any(a.missing for a in case.arguments):
            continue
        given = [np.asarray(x) for x in given]
        program = mg.program(case.function)
        expected = arguments.call(program, case.arguments, given)
        with np.errstate(all="ignore"):
            slopes = gradients(program, expected.sum())
            function, own = program.function(xp), vector(program, xp)
            found = arguments.call(
                lambda *a, f=function, p=own, **k: f(p, *a, **k),
                case.arguments,
                [xp.asarray(x) for x in given],
            )
        if np.isfinite(expected.data).all() and np.isfinite(slopes).all():
            done += 1
            for array, right in zip(found, (expected.data, slopes)):
                size = np.abs(right).max(initial=1.0)
                np.testing.assert_allclose(np.asarray(array), right, rtol=1e-9, atol=1e-10 * size)


def test_seeds_weigh_the_results(xp: Any) -> None:
    program = mg.program(lambda x: [W[0] * x[0], W[1] * x[1]])
    result = program(X)
    weights = rng.normal(size=(20, 2))
    total = sum((weights[i, k] * result[i, k] for i in range(20) for k in range(2)), Value(0.0))
    slopes = gradients(program, total)
    function = program.function(xp)
    _, found = function(vector(program, xp), xp.asarray(X), seeds=xp.asarray(weights))
    assert_same(found, slopes)
    with pytest.raises(ValueError, match="seeds weigh the results"):
        function(vector(program, xp), xp.asarray(X), seeds=xp.asarray(weights[:1]))


def test_what_no_path_takes_raises(xp: Any) -> None:
    program = mg.program(lambda x: W[0] * x if x > 0 else mg.exp(x))
    program([1.0])
    function = program.function(xp)
    with pytest.raises(ProgramError, match="row 2 takes a path"):
        function(vector(program, xp), xp.asarray(np.array([1.0, 2.0, -1.0])))
    with pytest.raises(ProgramError, match="nothing was traced of arguments like these"):
        function(vector(program, xp), xp.asarray(np.ones((2, 2))))
    with pytest.raises(ValueError, match="a vector of 1 numbers"):
        function(xp.asarray(np.ones(2)), xp.asarray(np.ones(2)))
    looked_up = mg.program(lambda i: mg.take(W, i))
    looked_up([1])
    with pytest.raises(IndexError, match="row 1 is out of range"):
        looked_up.function(xp)(vector(looked_up, xp), xp.asarray(np.array([1, 3])))
    with pytest.raises(IndexError, match="index 3 in row 1"):
        looked_up(xp.asarray(np.array([1, 3])))


def test_float32_stays_float32(xp: Any) -> None:
    program = mg.program(lambda x, y: (NET(x) - y) ** 2)
    expected = program(X, Y)
    given = [xp.asarray(x, dtype=xp.float32) for x in (X, Y)]
    if xp is np:
        return  # the program itself computes in float64, whatever the arrays hold
    found = program(*given)
    assert found.data.dtype == xp.float32
    np.testing.assert_allclose(np.asarray(found.data), expected.data, rtol=1e-4, atol=1e-5)
    slopes = gradients(program, expected.mean())
    np.testing.assert_allclose(gradients(program, found.mean()), slopes, rtol=1e-4, atol=1e-6)


def test_no_rows_give_no_results(xp: Any) -> None:
    program = mg.program(lambda x, y: (NET(x) - y) ** 2)
    empty = program(xp.asarray(np.empty((0, 3))), xp.asarray(np.empty(0)))
    assert empty.shape == (0,)
    assert empty.sum().data == 0.0


def test_what_is_read_several_times(xp: Any) -> None:
    assert_agree(mg.program(lambda x: sum(W) * x * x), xp, np.arange(5.0))


def test_a_function_of_no_rows_has_gradients_of_zero(xp: Any) -> None:
    def parted(x: Any) -> Any:
        z = W[0] * x[0] * x[1] + mg.sin(x[1])
        return [z * z, x[1], z] if z > 0.2 else [mg.exp(W[1] * x[0]), x[0], z]

    program = mg.program(parted)
    program([[1.0, 2.0], [-1.0, 2.0]])
    results, slopes = program.function(xp)(vector(program, xp), xp.asarray(np.empty((0, 2))))
    assert results.shape == (0, 3)
    assert np.asarray(slopes).tolist() == [0.0] * len(program.parameters())


def test_a_function_that_lacks_parameters_of_a_later_path_says_so(xp: Any) -> None:
    program = mg.program(lambda x: W[0] * x if x > 0 else W[1] * x)
    program([1.0])
    function = program.function(xp)
    program([-1.0])
    with pytest.raises(ProgramError, match="more parameters than these 1: make the function again"):
        function(xp.asarray(np.ones(1)), xp.asarray(np.array([1.0, -1.0])))
    assert_agree(program, xp, np.array([1.0, -1.0, 2.0, -3.0, 0.5]))


def test_what_is_known_is_asked_first() -> None:
    program = mg.program(lambda x: x)
    with pytest.raises(ValueError, match="before its first call"):
        program.function(np)
    with pytest.raises(ValueError, match="before its first call"):
        program.parameters()
    program([1.0])
    with pytest.raises(TypeError, match="takes an array library"):
        program.function(3)
    with pytest.raises(TypeError, match="one number"):
        program.function(np)([], 1.0)


def test_without_its_source_it_is_a_function_still() -> None:
    program = mg.program(lambda x, y: (NET(x) - y) ** 2)
    expected = program(X, Y).data
    other = pickle.loads(pickle.dumps(program))
    results, _ = other.function(np)(vector(other, np), X, Y)
    assert_same(results, expected)


# JAX ----------------------------------------------------------------------------------------------


def forked(x: Any, y: Any) -> Any:
    return (NET(x) - y) ** 2 if x[0] > 0 else mg.log(x[1] * x[1] + 1)


def test_jit_and_vmap(jnp: Any) -> None:
    import jax

    program = mg.program(forked)
    expected = program(X, Y)
    slopes = gradients(program, expected.sum())
    function, parameters = program.function(jnp), vector(program, jnp)
    results, found = jax.jit(function)(parameters, X, Y)
    assert_same(results, expected.data)
    assert_same(found, slopes)
    groups = jax.jit(jax.vmap(function, in_axes=(None, 0, 0)))
    results, found = groups(parameters, X.reshape(4, 5, 3), Y.reshape(4, 5))
    assert_same(results.reshape(-1), expected.data)
    assert_same(found.sum(axis=0), slopes)
    assert_same(jax.jit(jax.grad(lambda p: function(p, X, Y)[0].sum()))(parameters), slopes)


def test_a_row_without_a_path_is_nan_while_a_compiler_runs(jnp: Any) -> None:
    import jax

    program = mg.program(lambda x: W[0] * x if x > 0 else mg.exp(x))
    program([1.0])
    function = jax.jit(program.function(jnp))
    results, found = function(vector(program, jnp), jnp.asarray([1.0, -1.0]))
    assert np.isnan(np.asarray(results)).tolist() == [False, True]
    assert np.isnan(np.asarray(found)).all()


def test_it_is_sharded_over_devices(jnp: Any) -> None:
    assert printed(SHARDED) == "4 True True\n"


SHARDED = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
import micrograd as mg
from jax.sharding import Mesh, NamedSharding, PartitionSpec

model = mg.nn.MLP(3, [4, 1], activation="tanh")
program = mg.program(lambda x: model(x) ** 2 if x[0] > 0 else mg.exp(x[1]))
X = np.random.default_rng(0).normal(size=(40, 3))
expected = program(X)
expected.sum().backward()
vector = jax.numpy.asarray([p.data for p in program.parameters()])
devices = Mesh(np.array(jax.devices()), ("rows",))
rows = jax.device_put(X, NamedSharding(devices, PartitionSpec("rows", None)))
results, found = jax.jit(program.function(jax.numpy))(vector, rows)
slopes = [p.grad for p in program.parameters()]
print(
    len(results.sharding.device_set),
    np.allclose(results, expected.data, rtol=1e-12, atol=1e-12),
    np.allclose(found, slopes, rtol=1e-12, atol=1e-12),
)
"""


def test_float64_is_not_lost_silently() -> None:
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    try:
        program = mg.program(lambda x, y: W[0] * x - y)
        program([1.0], [1.0])
        function = program.function(jax.numpy)
        with pytest.raises(TypeError, match=r"x is float64, but JAX.*jax_enable_x64"):
            function(jax.numpy.ones(1), np.ones(2), np.ones(2))
        with pytest.raises(TypeError, match=r"y is float64, but JAX.*jax_enable_x64"):
            program(jax.numpy.ones(2), np.ones(2))
        assert program(jax.numpy.ones(2), [0.0, 0.0]).data.dtype == np.float32
    finally:
        jax.config.update("jax_enable_x64", before)


def test_gradients_that_would_be_lost_are_refused(jnp: Any) -> None:
    import jax

    program = mg.program(lambda x: W[0] * x)
    with pytest.raises(TypeError, match=r"traced by JAX.*program\.function"):
        jax.grad(lambda x: program(x).data.sum())(jnp.ones(2))


# PyTorch ------------------------------------------------------------------------------------------


def test_pytorch_differentiates_the_function() -> None:
    torch = pytest.importorskip("torch")
    program = mg.program(forked)
    slopes = gradients(program, program(X, Y).sum())
    parameters = torch.tensor(vector(program, np), requires_grad=True)
    results, _ = program.function(torch)(parameters, torch.tensor(X), torch.tensor(Y))
    results.sum().backward()
    assert_same(parameters.grad, slopes)
    with pytest.raises(TypeError, match=r"requires a gradient.*detach"):
        program(torch.tensor(X, requires_grad=True), torch.tensor(Y))


@pytest.mark.filterwarnings("ignore")  # PyTorch's own, while it compiles
def test_pytorch_compiles_the_function() -> None:
    torch = pytest.importorskip("torch")
    program = mg.program(forked)
    expected = program(X, Y)
    slopes = gradients(program, expected.sum())
    function = program.function(torch)
    # The backend that generates no code: what it gets is what others get.
    compiled = torch.compile(lambda *a: function(*a), fullgraph=True, backend="aot_eager")
    parameters = torch.tensor(vector(program, np), requires_grad=True)
    results, found = compiled(parameters, torch.tensor(X), torch.tensor(Y))
    assert_same(results.detach(), expected.data)
    assert_same(found.detach(), slopes)
    results.sum().backward()
    assert_same(parameters.grad, slopes)


def test_a_cuda_device_is_used_where_there_is_one() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    program = mg.program(forked)
    expected = program(X, Y)
    slopes = gradients(program, expected.mean())
    found = program(torch.tensor(X).cuda(), torch.tensor(Y).cuda())
    numbers: Any = found.data
    assert numbers.is_cuda
    assert_same(numbers.cpu(), expected.data)
    assert_same(gradients(program, found.mean()), slopes)
