"""Losses of one example, to be averaged over the examples.

Outputs are Values or numbers, labels are numbers. Functions of logits, the scores before sigmoid
or softmax, never overflow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

from micrograd import ops
from micrograd.engine import Value
from micrograd.value.numbers import is_number, shortened
from micrograd.value.words.elsewhere import IN_LOSSES, missing


def hinge(score: Any, label: Any) -> Any:
    """Return the hinge loss max(0, 1 - label * score), for a label of -1 or +1.

    Raises ValueError for any other label. Source: Cortes and Vapnik, Support-Vector Networks
    (1995).

    >>> hinge(0.25, 1), hinge(3.0, 1)
    (0.75, 0.0)
    """
    _refuse_lists("hinge", score, label)
    if _is_scalar(label) and not abs(label) == 1:
        raise ValueError(f"hinge: a label is -1 or +1, got {label!r}; map 0 to -1 (2 * y - 1)")
    return ops.relu(1 - label * score)


def squared_error(output: Any, target: Any) -> Any:
    """Return the squared error (output - target)**2, without a factor of 1/2.

    >>> squared_error(3.0, 1.0)
    4.0
    """
    _refuse_lists("squared_error", output, target)
    return ops.power(output - target, 2)


def binary_cross_entropy(logit: Any, label: Any) -> Any:
    """Return the cross-entropy -y log(p) - (1 - y) log(1 - p) of p = sigmoid(logit) and a label y.

    Computed as softplus(logit) - y * logit, which is equal. Raises ValueError for a label
    outside [0, 1]. Source: Bishop, Pattern Recognition and Machine Learning (2006), eq. 4.90.

    >>> print(f"{binary_cross_entropy(0.0, 1):.6f}")
    0.693147
    """
    _refuse_lists("binary_cross_entropy", logit, label)
    if is_number(label) and label in (0, 1):  # even where the other term is infinite
        return ops.softplus(-logit if label else logit)
    if not _is_scalar(label):
        return _at_any_logit(logit, label)
    # Programs like it best to ask once: with an infinite logit, the right side is nan.
    if not label * (1 - label) >= 0 * logit:
        if not label * (1 - label) >= 0:
            raise ValueError(
                f"binary_cross_entropy: a label is from 0 to 1, got {label!r}; "
                "map -1 to 0 ((y + 1) / 2), or use hinge"
            )
        return _at_any_logit(logit, label)
    return ops.softplus(logit) - label * logit


def _at_any_logit(logit: Any, label: Any) -> Any:
    """Return the cross-entropy of two classes without a class of weight 0, whatever its logit."""
    is_infinite = ops.equal(ops.abs(logit), math.inf)
    is_one = is_infinite * ops.equal(label, 1)
    is_zero = is_infinite * ops.equal(label, 0)
    linear = label * ops.where(is_one + is_zero, 0.0, logit)
    return ops.softplus(ops.where(is_one, -logit, logit)) - linear


def cross_entropy(logits: Sequence[Any], label: Any) -> Any:
    """Return the cross-entropy -sum_k y_k log(p_k) of p = softmax(logits) and a label y.

    The label is the number of the right class, from 0, or one probability per class, summing to
    1. Computed as log(sum_k exp(z_k)) - sum_k y_k z_k, with the z shifted by their maximum.
    Raises ValueError for a label that does not fit, TypeError for a Value (in a program, give
    one probability per class). Source: Bishop (2006), eq. 4.108.

    >>> print(f"{cross_entropy([0.0, 3.0, -2.0, 1.0], 3):.6f}")
    2.175515
    """
    if isinstance(logits, Value) or is_number(logits):
        raise TypeError(
            f"cross_entropy takes a list of logits, one per class, got {shortened(logits)}: for "
            "one output write binary_cross_entropy(logit, label)"
        )
    logits = list(logits)
    if not logits:
        raise ValueError("cross_entropy: got no logits; give one per class")
    # The result does not depend on the shift, which therefore carries no derivative.
    shift = ops.stop_gradient(reduce(ops.maximum, logits))
    log_sum_exp = shift + ops.log(sum(ops.exp(z - shift) for z in logits))
    return log_sum_exp - _expected_logit(logits, label)


def _refuse_lists(loss: str, output: Any, label: Any) -> None:
    if isinstance(output, (list, tuple)) or isinstance(label, (list, tuple, str)):
        found = f"{shortened(output)} and {shortened(label)}"
        raise TypeError(
            f"{loss} takes one output and one label, got {found}: write [{loss}(output, label) for "
            "output, label in zip(outputs, labels)], and average"
        )


def _is_scalar(label: Any) -> bool:
    """Tell labels that can be checked, numbers and Values, from arrays of them."""
    return is_number(label) or isinstance(label, Value)


def _are_probabilities(weights: list[Any], plus: Any = 0.0) -> bool:
    """Ask whether all are at least 0 and sum to 1, in one comparison, as programs like it best."""
    total, size = sum(weights), sum(map(abs, weights))
    return bool(abs(total - 1) + abs(size - 1) + plus <= 2e-9)


def _expected_logit(logits: list[Any], label: Any) -> Any:
    if is_number(label):
        if label not in range(len(logits)):
            raise ValueError(
                f"cross_entropy: the label is a class from 0 to {len(logits) - 1}, got {label!r}"
            )
        return logits[int(label)]
    if isinstance(label, Value):
        raise TypeError(
            f"cross_entropy: the label is a {type(label).__name__}, which chooses no logit; give "
            "one probability per class instead, such as a row of np.eye(classes)[labels]"
        )
    weights = list(label)
    if len(weights) != len(logits):
        raise ValueError(
            f"cross_entropy: got {len(weights)} probabilities for {len(logits)} logits; "
            "give one per class"
        )
    # A class that has no weight adds nothing, even if its logit is minus infinity.
    if all(map(is_number, weights)):
        _check_probabilities(weights, label)
        return sum(y * z for y, z in zip(weights, logits) if y != 0)
    if all(map(_is_scalar, weights)):
        if _are_probabilities(weights, 0 * sum(logits)):  # which is nan if one is infinite
            return sum(y * z for y, z in zip(weights, logits))
        _check_probabilities(weights, label)
    return sum(y * _if_weighed(z, y) for y, z in zip(weights, logits))


def _if_weighed(logit: Any, weight: Any) -> Any:
    """Return 0 in place of an infinite logit whose weight is 0."""
    is_infinite = ops.equal(ops.abs(logit), math.inf)
    return ops.where(is_infinite * ops.equal(weight, 0), 0.0, logit)


def _check_probabilities(weights: list[Any], label: Any) -> None:
    if not _are_probabilities(weights):
        raise ValueError(
            f"cross_entropy: a label's probabilities are at least 0 and sum to 1, got {label!r}"
        )


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, IN_LOSSES)
