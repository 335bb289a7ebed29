"""Swing up a pole on a cart: direct collocation with sparse derivatives, by IPOPT and by a Newton method.

Run it with `python examples/trajectory_optimization.py` where asdex is installed. `pip install
"asdex[ipopt]"` brings IPOPT; without it that part is left out.

The problem is that of Kelly, "An Introduction to Trajectory Optimization: How to Do Your Own Direct
Collocation" (SIAM Review 59, 2017), section 6, by the trapezoidal rule.
"""

import importlib.util
import time

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from asdex.nlp import NonlinearProgram


DURATION = 2.0
CART, POLE, LENGTH, GRAVITY = 1.0, 0.3, 0.5, 9.81
MAX_FORCE, MAX_POSITION = 20.0, 2.0


def dynamics(state, force):
    """Time derivative of (position, angle, velocity, angular velocity)."""
    _, angle, velocity, rate = state
    sin, cos = jnp.sin(angle), jnp.cos(angle)
    mass = CART + POLE * sin**2
    pull = LENGTH * POLE * sin * rate**2 + force
    acceleration = (pull + POLE * GRAVITY * cos * sin) / mass
    turn = -(pull * cos + (CART + POLE) * GRAVITY * sin) / (LENGTH * mass)
    return jnp.stack([velocity, rate, acceleration, turn])


def effort(z, distance):
    """The integral of the squared force."""
    del distance
    squares = z["force"] ** 2
    return DURATION / (squares.size - 1) * jnp.sum((squares[1:] + squares[:-1]) / 2)


def conditions(z, distance):
    """Zero for a motion from rest to rest, `distance` away and upside down."""
    state, force = z["state"], z["force"]
    slopes = jax.vmap(dynamics)(state, force)
    step = DURATION / (force.size - 1)
    end = jnp.array([distance, jnp.pi, 0.0, 0.0])
    return {
        "defects": state[1:] - state[:-1] - step / 2 * (slopes[1:] + slopes[:-1]),
        "start": state[0],
        "end": state[-1] - end,
    }


def straight_line(intervals: int, distance: float) -> dict:
    """Rest to rest at constant speed: where the solvers start."""
    end = np.array([distance, np.pi, 0.0, 0.0])
    return {
        "force": np.zeros(intervals + 1),
        "state": np.linspace(0, 1, intervals + 1)[:, None] * end,
    }


def ipopt(program: NonlinearProgram, x: np.ndarray, quiet: bool) -> tuple[np.ndarray, dict]:
    """Solve with bounds on force and position."""
    import cyipopt

    state = np.array([MAX_POSITION, np.inf, np.inf, np.inf])
    bound = program.ravel({"force": MAX_FORCE, "state": state})
    zero = program.ravel_constraints(0.0)
    problem = cyipopt.Problem(  # pyright: ignore
        n=program.n, m=program.m, problem_obj=program, lb=-bound, ub=bound, cl=zero, cu=zero
    )
    problem.add_option("tol", 1e-9)
    problem.add_option("sb", "yes")
    problem.add_option("print_level", 0 if quiet else 5)
    return problem.solve(x)


def newton(
    program: NonlinearProgram, x: np.ndarray, tolerance: float = 1e-9, max_steps: int = 50
) -> np.ndarray:
    """Solve without bounds: Newton's method on the conditions of optimality, with a line search.

    Nocedal and Wright, Numerical Optimization (2006), sections 18.1 to 18.3.
    """
    n, m = program.n, program.m
    rows, cols = program.hessianstructure()
    off = rows != cols
    whole = np.r_[rows, cols[off]], np.r_[cols, rows[off]]
    multipliers, penalty = np.zeros(m), 1.0

    def merit(x):
        return program.objective(x) + penalty * abs(program.constraints(x)).sum()

    print("step      effort   violation   optimality   length")
    length = 0.0
    for step in range(max_steps):
        gradient, g = program.gradient(x), program.constraints(x)
        J = sp.csr_matrix((program.jacobian(x), program.jacobianstructure()), shape=(m, n))
        lower = program.hessian(x, multipliers, 1.0)
        H = sp.csr_matrix((np.r_[lower, lower[off]], whole), shape=(n, n))
        errors = abs(g).max(), abs(gradient + J.T @ multipliers).max()
        print(
            f"{step:4d} {program.objective(x):11.6f} {errors[0]:11.1e} {errors[1]:12.1e} {length:8.3f}"
        )
        if max(errors) < tolerance:
            return x
        direction, target = descent(H, J, gradient, g)
        penalty = max(penalty, 2 * abs(target).max())
        slope = gradient @ direction - penalty * abs(g).sum()
        value, length = merit(x), 1.0
        while length > 1e-3 and merit(x + length * direction) > value + 1e-4 * length * slope:
            length /= 2
        x = x + length * direction
        multipliers = multipliers + length * (target - multipliers)
    raise RuntimeError(f"Newton's method has not converged in {max_steps} steps.")


def descent(H, J, gradient: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step of a quadratic model with curvature that is positive along it, and the new multipliers."""
    n = H.shape[0]
    for shift in (0.0, *10.0 ** np.arange(-4, 9)):
        model = H + shift * sp.identity(n)
        system = sp.bmat([[model, J.T], [J, None]], format="csc")
        solution = splu(system).solve(-np.r_[gradient, g])
        step = solution[:n]
        if step @ (model @ step) > 1e-10 * (step @ step):
            return step, solution[n:]
    raise RuntimeError("No shift of the Hessian makes it positive along the step.")


def report(name: str, program: NonlinearProgram, x: np.ndarray, seconds: float) -> None:
    violation = abs(program.constraints(x)).max()
    peak = abs(program.unravel(x)["force"]).max()
    print(
        f"{name}: effort {program.objective(x):.6f}, violation {violation:.1e}, "
        f"peak force {peak:.2f}, {seconds:.2f} s"
    )


def main(intervals: int = 200, quiet: bool = False) -> None:
    jax.config.update("jax_enable_x64", True)
    guess = straight_line(intervals, 1.0)
    start = time.perf_counter()
    program = NonlinearProgram(effort, conditions, guess, 1.0)
    seconds = time.perf_counter() - start
    jac, hess = program.jacobian_coloring, program.hessian_coloring
    print(f"{program.n} variables, {program.m} constraints, set up in {seconds:.2f} s")
    print(f"Jacobian: {jac.num_colors} passes (dense: {min(program.n, program.m)})")
    print(f"Hessian: {hess.num_colors} passes (dense: {program.n})\n")

    start = time.perf_counter()
    x = newton(program, program.ravel(guess))
    report("Newton", program, x, time.perf_counter() - start)

    if importlib.util.find_spec("cyipopt") is None:
        print('IPOPT is not installed: pip install "asdex[ipopt]"')
        return
    for distance, at in ((1.0, program.ravel(guess)), (0.8, x)):
        # Other parameters need no new pattern, coloring or compilation.
        other = program.with_args(distance)
        start = time.perf_counter()
        solution, info = ipopt(other, at, quiet)
        seconds = time.perf_counter() - start
        print(f"IPOPT for distance {distance}: {info['status_msg'].decode()}")
        report(f"IPOPT for distance {distance}", other, solution, seconds)


if __name__ == "__main__":
    main()
