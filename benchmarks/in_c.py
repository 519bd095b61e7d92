"""Time a classifier that `program.to_c` wrote beside C that was written by hand for it.

    python benchmarks/in_c.py

Images of 64 numbers, 32 sigmoids, ten classes and their cross-entropy. Both are compiled by `cc`
(or what CC names) into one program, which takes turns and prints the least time of each, in
microseconds of processor time for a row, for the value and the gradient, and for the value alone.
"""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import micrograd as mg
from micrograd.losses import cross_entropy
from micrograd.nn import MLP

BY_HAND = r"""
#include <math.h>
#include <stdio.h>
#include <time.h>

extern const double loss_parameters[2410];
int loss(const double *restrict, const double *restrict, const double *restrict, double *restrict,
         double *restrict);
int scores(const double *restrict, const double *restrict, double *restrict);

__attribute__((noinline)) static void scores_by_hand(const double *restrict p,
        const double *restrict x, double *restrict z, double *restrict a)
{
    for (int i = 0; i < 32; i++) {
        double s = p[65 * i + 64];
        for (int j = 0; j < 64; j++) s += p[65 * i + j] * x[j];
        a[i] = 1 / (1 + exp(-s));
    }
    const double *q = p + 2080;
    for (int i = 0; i < 10; i++) {
        z[i] = q[33 * i + 32];
        for (int j = 0; j < 32; j++) z[i] += q[33 * i + j] * a[j];
    }
}

__attribute__((noinline)) static void loss_by_hand(const double *restrict p,
        const double *restrict x, const double *restrict y, double *restrict r,
        double *restrict g)
{
    double a[32], z[10], d[10], e[32] = {0}, t = 0;
    scores_by_hand(p, x, z, a);
    const double *q = p + 2080;
    double most = z[0];
    for (int i = 1; i < 10; i++) most = z[i] > most ? z[i] : most;
    for (int i = 0; i < 10; i++) t += d[i] = exp(z[i] - most);
    *r = 0;
    for (int i = 0; i < 10; i++) *r += y[i] * (log(t) + most - z[i]);
    for (int i = 0; i < 10; i++) d[i] = d[i] / t - y[i];
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < 32; j++) e[j] += q[33 * i + j] * d[i];
    for (int j = 0; j < 32; j++) e[j] *= a[j] * (1 - a[j]);
    for (int i = 0; i < 10; i++) {
        for (int j = 0; j < 32; j++) g[2080 + 33 * i + j] = d[i] * a[j];
        g[2080 + 33 * i + 32] = d[i];
    }
    for (int i = 0; i < 32; i++) {
        for (int j = 0; j < 64; j++) g[65 * i + j] = e[i] * x[j];
        g[65 * i + 64] = e[i];
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

#define TIME(best, call) do { \
        double began = seconds(); \
        for (int i = 0; i < 2000; i++) { x[0] = 1e-4 * i; call; } \
        double taken = (seconds() - began) / 2000; \
        if (taken < best) best = taken; \
    } while (0)

int main(void)
{
    double x[64], y[10] = {0}, z[10], a[32], r[2], g[2][2410], error;
    double best[4] = {1, 1, 1, 1};
    for (int i = 0; i < 64; i++) x[i] = (i * 37 % 64) / 64.0;
    y[3] = 1;
    for (int round = 0; round < 30; round++) {
        TIME(best[0], loss(loss_parameters, x, y, r, g[0]));
        TIME(best[1], loss_by_hand(loss_parameters, x, y, r + 1, g[1]));
        TIME(best[2], scores(loss_parameters, x, z));
        TIME(best[3], scores_by_hand(loss_parameters, x, z, a));
    }
    error = fabs(r[0] - r[1]);
    for (int i = 0; i < 2410; i++) error = fmax(error, fabs(g[0][i] - g[1][i]));
    for (int i = 0; i < 4; i += 2)
        printf("%s: %.2f us, by hand %.2f us, %.2f times\n", i ? "scores" : "loss and gradient",
               1e6 * best[i], 1e6 * best[i + 1], best[i] / best[i + 1]);
    return !(error < 1e-12);
}
"""


def main() -> None:
    """Write both, compile them, and run them."""
    random.seed(1)
    model = MLP(64, [32, 10], activation="sigmoid")
    programs = {
        "loss": mg.program(lambda x, y: cross_entropy(model(x), y)),
        "scores": mg.program(lambda x: model(x)),
    }
    programs["loss"](np.zeros((1, 64)), np.eye(10)[:1])
    programs["scores"](np.zeros((1, 64)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "by_hand.c").write_text(BY_HAND)
        for title, program in programs.items():
            program._name = title
            program.to_c(folder / f"{title}.c", gradient=title == "loss")
        for level in ("-O3", "-O2"):
            sources = [f"{title}.c" for title in ("by_hand", *programs)]
            compiler = os.environ.get("CC", "cc")
            subprocess.run([compiler, level, *sources, "-lm", "-o", "both"], cwd=folder, check=True)
            print(f"{compiler} {level}", flush=True)
            subprocess.run([folder / "both"], check=True)


if __name__ == "__main__":
    main()
