"""Pictures of graphs and of training."""

from micrograd.draw.page import stepper

__all__ = ["stepper"]
