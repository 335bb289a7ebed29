"""The cost of a reverse pass relative to a forward pass, with which `mode="auto"` compares the two."""

import json
import sys
from statistics import geometric_mean, median

from .runner import format_ratio, format_seconds, Library, table


SIZES = (10_000, 200_000)
PASSES = 8


def run(ours: Library, peer: Library) -> str:
    del peer
    measured = json.loads(ours.run_code("-m", "benchmarks.passes").splitlines()[-1])
    ratios = [reverse / forward for _, _, forward, reverse in measured]
    mean = geometric_mean(ratios)
    rows = [
        [name, f"{n:,}", format_seconds(forward), format_seconds(reverse), format_ratio(ratio)]
        for (name, n, forward, reverse), ratio in zip(measured, ratios, strict=True)
    ]
    return "\n".join(
        [
            "## Forward and reverse passes",
            "",
            f"Times of a batch of {PASSES} JVPs and of a batch of {PASSES} VJPs, of a function that is",
            f"linearised once. In the geometric mean a reverse pass costs {mean:.2f} forward passes;",
            '`mode="auto"` counts 1.1.',
            "",
            table(["function", "inputs", "forward", "reverse", "reverse / forward"], rows),
        ]
    )


def functions(n):
    """Functions with about `n` inputs and as many outputs, and their exact numbers of inputs."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from .worker import brusselator, num_inputs, squared_differences

    rng = np.random.default_rng(0)
    kernel = jnp.asarray(rng.normal(size=(1, 1, 3, 3)), jnp.float32)
    tails, heads = jnp.asarray(rng.integers(0, n, (2, 3 * n)))
    read = jnp.asarray(rng.integers(0, n, (n, 3)))
    side, edge = round(n**0.5), round(n ** (1 / 3))

    def heat(u):
        v = jnp.pad(u.reshape(edge, edge, edge), 1)
        inner = v[1:-1, 1:-1, 1:-1]
        along_x = v[2:, 1:-1, 1:-1] + v[:-2, 1:-1, 1:-1]
        along_y = v[1:-1, 2:, 1:-1] + v[1:-1, :-2, 1:-1]
        along_z = v[1:-1, 1:-1, 2:] + v[1:-1, 1:-1, :-2]
        return (along_x + along_y + along_z - 6 * inner - jnp.sin(inner)).ravel()

    def convolution(u):
        image = u.reshape(1, 1, side, side)
        return jnp.tanh(jax.lax.conv(image, kernel, (1, 1), "SAME")).ravel()

    def steps(u):
        def step(c, _):
            return c + 0.1 * jnp.sin(jnp.roll(c, 1) - c), None

        return jax.lax.scan(step, u, None, length=10)[0]

    return {
        "squared differences": (squared_differences(n), n),
        "Brusselator": (brusselator(n), num_inputs("Brusselator", n)),
        "3-D heat": (heat, edge**3),
        "3×3 convolution": (convolution, side**2),
        "scan of 10 steps": (steps, n),
        "sum over edges": (
            lambda x: jnp.zeros_like(x).at[tails].add(jnp.sin(x[tails] - x[heads])),
            n,
        ),
        "products of 3": (lambda x: jnp.prod(x[read], axis=1), n),
    }


def measure(function, n):
    """Median seconds of a batch of JVPs and of one of VJPs."""
    import time

    import jax
    import jax.numpy as jnp

    x, *seeds = jax.random.normal(jax.random.key(0), (1 + PASSES, n))
    seeds = jnp.stack(seeds)
    length = jax.eval_shape(function, x).size

    def forward(x, seeds):
        return jax.vmap(jax.linearize(function, x)[1])(seeds)

    def reverse(x, seeds):
        return jax.vmap(jax.vjp(function, x)[1])(seeds)

    calls = (jax.jit(forward), seeds), (jax.jit(reverse), jnp.resize(seeds, (PASSES, length)))
    times = ([], [])
    for number in range(16):
        for (call, batch), clock in zip(calls, times, strict=True):
            start = time.perf_counter()
            jax.block_until_ready(call(x, batch))
            if number:  # the first compiles
                clock.append(time.perf_counter() - start)
    return [median(clock) for clock in times]


if __name__ == "__main__":
    results = [
        [name, n, *measure(function, n)]
        for size in SIZES
        for name, (function, n) in functions(size).items()
    ]
    json.dump(results, sys.stdout)
