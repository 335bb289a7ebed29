"""Programs with primitives that have no rule: what asdex does about each, and the pattern that comes of it.

- `followed`: the evaluator or another rule sees through it.
- `zero`: it returns integers, constants or nothing.
- `dense`: JAX has no derivative that tells more. Every result reads every operand, and asdex warns.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import checkify, io_callback
from jax.sharding import Mesh, PartitionSpec
from rule_case import optional


class Program(NamedTuple):
    """A function of four numbers, the kind of treatment, and the pattern, written down by hand.

    `needs` names what makes the primitive, where some versions of jax lack it.
    """

    kind: str
    fn: Callable[[Any], Any]
    pattern: np.ndarray
    needs: str = "jax.make_jaxpr"

    def is_possible(self) -> bool:
        module, _, name = self.needs.rpartition(".")
        try:
            return hasattr(importlib.import_module(module), name)
        except ImportError:
            return False


DIAGONAL = np.eye(4)
BACKWARDS = DIAGONAL[::-1]
FULL = np.ones((4, 4))
LINE = jax.ShapeDtypeStruct((4,), np.float32)


def beside(effect: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that does something with its argument on the side."""

    def fn(x):
        effect(x)
        return jnp.sin(x)

    return fn


SPLIT = PartitionSpec("i")


def on_a_mesh(body: Callable[[Any], Any], target: Any = SPLIT) -> Callable[[Any], Any]:
    """The function that runs `body` on the shards of a mesh of one device."""

    def fn(x):
        if jax.__version_info__ >= (0, 7):
            shard_map = jax.shard_map
        else:
            from jax.experimental.shard_map import shard_map
        mesh = Mesh(np.array(jax.devices()[:1]), ("i",))
        return shard_map(body, mesh=mesh, in_specs=SPLIT, out_specs=target)(x)

    return fn


def gathered(x):
    return lax.all_gather(x[::-1], "i", tiled=True, to="invarying")


def exchanged(x):
    return lax.all_to_all(x[None, ::-1], "i", 0, 0)[0]


def without_batching_rule(x):
    zero, four = jnp.zeros(1, jnp.int32), jnp.full(1, 4, jnp.int32)
    return lax.ragged_all_to_all(x, jnp.zeros_like(x), zero, four, zero, four, axis_name="i")


def with_reference(use: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """A function that makes a mutable reference, and uses it."""
    return lambda x: use(jax.new_ref(jnp.zeros_like(x)), x)


def written(ref, x):
    ref[...] = x[::-1]
    return ref[...]


def added_to(ref, x):
    ref[...] = x
    optional("jax.ref").addupdate(ref, ..., x[::-1])
    return ref[...]


def frozen(ref, x):
    ref[...] = x[::-1]
    return jax.freeze(ref)


def freed(ref, x):
    ref[...] = x[::-1]
    result = ref[...]
    jax.free_ref(ref)
    return result


def never_written_before(x):
    ref = jax.empty_ref(LINE)
    ref[...] = x[::-1]
    return ref[...]


@jax.custom_batching.custom_vmap
def batched_by_hand(x):
    return jnp.sin(x[::-1])


batched_by_hand.def_vmap(lambda size, batched, x: (jnp.sin(x[:, ::-1]), True))


def into_a_buffer(x):
    from jax.experimental.buffer_callback import buffer_callback

    return buffer_callback(lambda *_: None, LINE)(x)


def exported(x):
    import jax.export

    return jax.export.export(jax.jit(jnp.sin))(LINE).call(x)


def factored(x):
    """The compact form of a QR factorization, and a product with its `Q`."""
    return jax.scipy.linalg.qr_multiply(x.reshape(2, 2), jnp.eye(2))[0]


def scaled(x):
    half = x.reshape(2, 2).astype(jnp.float8_e4m3fn)
    return lax.scaled_dot(half, half)


def scaled_in_blocks(x):
    half = x.reshape(1, 2, 2).astype(jnp.float8_e4m3fn)
    scales = jnp.ones((1, 2, 1), jnp.float8_e8m0fnu)
    return jax.nn.scaled_matmul(half, half, scales, scales)


def of_another_platform(x):
    return lax.platform_dependent(x, cpu=jnp.sin, default=lambda x: x[::-1])


CALL = Program("followed", jax.jit(lambda x: jnp.sin(x[::-1])), BACKWARDS)
STORED = Program("followed", with_reference(written), BACKWARDS, "jax.new_ref")

PROGRAMS: dict[str, Program] = {
    # calls
    **dict.fromkeys(("jit", "pjit"), CALL),
    "remat2": Program("followed", jax.checkpoint(lambda x: jnp.sin(x[::-1])), BACKWARDS),
    "custom_vmap_call": Program("followed", batched_by_hand, BACKWARDS),
    # mutable references
    **dict.fromkeys(("new_ref", "get", "swap"), STORED),
    "addupdate": Program(
        "followed", with_reference(added_to), DIAGONAL + BACKWARDS, "jax.ref.addupdate"
    ),
    "freeze": Program("followed", with_reference(frozen), BACKWARDS, "jax.freeze"),
    "free_ref": Program("followed", with_reference(freed), BACKWARDS, "jax.free_ref"),
    "empty_ref": Program("followed", never_written_before, BACKWARDS, "jax.empty_ref"),
    # collectives, which `test_collectives.py` has on several devices
    "ppermute": Program("followed", on_a_mesh(lambda x: lax.ppermute(x, "i", [(0, 0)])), DIAGONAL),
    "all_gather": Program(
        "followed", on_a_mesh(lambda x: lax.all_gather(x[::-1], "i", tiled=True)), BACKWARDS
    ),
    "all_gather_invariant": Program(
        "followed", on_a_mesh(gathered, PartitionSpec()), BACKWARDS, "jax.shard_map"
    ),
    "all_to_all": Program("followed", on_a_mesh(exchanged), BACKWARDS),
    "reduce_scatter": Program(
        "followed", on_a_mesh(lambda x: lax.psum_scatter(x[::-1], "i", tiled=True)), BACKWARDS
    ),
    "psum_invariant": Program("followed", on_a_mesh(lambda x: lax.psum(x[::-1], "i")), BACKWARDS),
    "pbroadcast": Program(
        "followed", on_a_mesh(lambda x: lax.pbroadcast(x[::-1], "i", 0)), BACKWARDS
    ),
    "ragged_all_to_all": Program("dense", on_a_mesh(without_batching_rule), FULL),
    # no floating-point results
    "axis_index": Program("zero", on_a_mesh(lambda x: x * (1 + lax.axis_index("i"))), DIAGONAL),
    "platform_index": Program("zero", of_another_platform, DIAGONAL + BACKWARDS),
    "mulhi": Program(
        "zero",
        lambda x: x * lax.mulhi((9 * x).astype(jnp.int32), jnp.int32(3)),
        DIAGONAL,
        "jax.lax.mulhi",
    ),
    # Its zeros are not known: nothing says that there are any.
    "empty": Program("zero", lambda x: x * lax.empty((4,), x.dtype), DIAGONAL, "jax.lax.empty"),
    "debug_callback": Program("zero", beside(lambda x: jax.debug.callback(print, x)), DIAGONAL),
    "debug_print": Program(
        "zero",
        beside(lambda x: jax.debug.print("{}", x)),
        DIAGONAL,
        "jax._src.debugging.debug_print_p",  # that of Pallas is another one
    ),
    "inspect_sharding": Program(
        "zero", beside(lambda x: jax.debug.inspect_array_sharding(x, callback=print)), DIAGONAL
    ),
    "dce_sink": Program("zero", beside(lambda x: lax.dce_sink(x)), DIAGONAL, "jax.lax.dce_sink"),
    "check": Program("zero", beside(lambda x: checkify.debug_check(x[0] > 0, "")), DIAGONAL),
    # code that JAX does not see into
    "pure_callback": Program("dense", lambda x: jax.pure_callback(np.sin, LINE, x), FULL),
    "io_callback": Program("dense", lambda x: io_callback(np.sin, LINE, x), FULL),
    "ffi_call": Program("dense", lambda x: jax.ffi.ffi_call("missing", LINE)(x), FULL),
    "buffer_callback": Program(
        "dense", into_a_buffer, FULL, "jax.experimental.buffer_callback.buffer_callback"
    ),
    "call_exported": Program("dense", exported, FULL, "jax.export.export"),
    # what JAX has no derivative of
    "geqrf": Program("dense", factored, FULL, "jax.scipy.linalg.qr_multiply"),
    "scaled_dot": Program("dense", scaled, FULL, "jax.lax.scaled_dot"),
    "scaled_matmul_wrapper": Program("dense", scaled_in_blocks, FULL, "jax.nn.scaled_matmul"),
}
