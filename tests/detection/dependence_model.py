"""A naive model of the dependency array, an object array of Python sets, and random programs on both."""

import math

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asdex import Dependence


WIDTH = 6
MORE_THAN_THE_TERM_LIMIT = 20

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
index_sets = st.frozensets(st.integers(0, WIDTH - 1), max_size=WIDTH)


# --- the model ------------------------------------------------------------------------------------


def naive(sets, shape):
    """An object array of frozensets; NumPy alone would look into the sets."""
    result = np.empty(math.prod(shape), object)
    for k, one in enumerate(sets):
        result[k] = frozenset(one)
    return result.reshape(shape)


def matrix_of(model, width=WIDTH):
    dense = np.zeros((model.size, width), bool)
    for k, one in enumerate(model.reshape(-1)):
        dense[k, list(one)] = True
    return dense


def union_over(model, axes):
    """Union over `axes`, which stay with length one."""
    moved = np.moveaxis(model, axes, range(len(axes)))
    kept = moved.shape[len(axes) :]
    rows = moved.reshape(math.prod(moved.shape[: len(axes)]), math.prod(kept))
    sets = [frozenset().union(*rows[:, k]) for k in range(rows.shape[1])]
    ones = [1 if axis in axes else n for axis, n in enumerate(model.shape)]
    return naive(sets, kept).reshape(ones)


def union(a, b):
    a, b = np.broadcast_arrays(a, b)
    pairs = zip(a.reshape(-1), b.reshape(-1), strict=True)
    return naive([one | other for one, other in pairs], a.shape)


# --- random dependences, with their models --------------------------------------------------------


@st.composite
def leaves(draw, shape):
    size = math.prod(shape)
    kind = draw(st.sampled_from(["none", "identity", "csr", "shared", "broadcast"]))
    if kind == "identity" and size <= WIDTH:
        offset = draw(st.integers(0, WIDTH - size))
        model = naive([{offset + k} for k in range(size)], shape)
        return Dependence.identity(shape, offset=offset, width=WIDTH), model
    if kind == "csr":
        model = naive(draw(st.lists(index_sets, min_size=size, max_size=size)), shape)
        return Dependence.from_csr(sp.csr_array(matrix_of(model)), shape), model
    if kind == "shared":
        pool = draw(st.lists(index_sets, min_size=2, max_size=2))
        chosen = draw(hnp.arrays(np.int32, shape, elements=st.integers(-1, 1)))
        sets = [pool[c] if c >= 0 else frozenset() for c in chosen.reshape(-1)]
        rows = Dependence.from_csr(sp.csr_array(matrix_of(naive(pool, (2,)))), (2,))
        return rows.take(chosen), naive(sets, shape)
    if kind == "broadcast":
        row = draw(index_sets)
        scalar = Dependence.from_csr(sp.csr_array(matrix_of(naive([row], (1,)))), ())
        return scalar.broadcast_to(shape), naive([row] * size, shape)
    return Dependence.none(shape), naive([()] * size, shape)


def union_step(draw, dependence, model):
    shape = dependence.shape
    if draw(st.booleans()):
        ones = tuple(draw(st.sampled_from([1, n])) for n in shape)
        shape = ones[draw(st.integers(0, len(ones))) :] if all(n == 1 for n in ones) else ones
    other, other_model = draw(leaves(shape))
    return dependence | other, union(model, other_model)


def pile_step(draw, dependence, model):
    for _ in range(MORE_THAN_THE_TERM_LIMIT):
        other, other_model = draw(leaves(dependence.shape))
        dependence, model = dependence | other, union(model, other_model)
    return dependence, model


def broadcast_step(draw, dependence, model):
    lead = draw(st.lists(st.integers(0, 3), max_size=1))
    shape = (*lead, *(draw(st.integers(0, 3)) if n == 1 else n for n in model.shape))
    return dependence.broadcast_to(shape), np.broadcast_to(model, shape)


def rearrange_step(draw, dependence, model):
    shape = draw(shapes)
    positions = draw(hnp.arrays(np.int32, shape, elements=st.integers(-1, model.size - 1)))
    sets = [model.reshape(-1)[p] if p >= 0 else () for p in positions.reshape(-1)]

    def move(own):
        np.testing.assert_array_equal(own, np.arange(model.size).reshape(model.shape))
        return positions

    return dependence.rearrange(move), naive(sets, shape)


def transpose_step(draw, dependence, model):
    order = draw(st.permutations(range(model.ndim)))
    return dependence.rearrange(lambda p: p.transpose(order)), model.transpose(order)


def take_step(draw, dependence, model):
    positions = draw(hnp.arrays(np.int64, draw(shapes), elements=st.integers(-1, model.size - 1)))
    sets = [model.reshape(-1)[p] if p >= 0 else () for p in positions.reshape(-1)]
    return dependence.take(positions), naive(sets, positions.shape)


def reshape_step(draw, dependence, model):
    options = [(model.size,), model.shape[::-1], (*model.shape, 1), (1, model.size)]
    shape = draw(st.sampled_from(options))
    return dependence.reshape(shape), model.reshape(shape)


def drawn_axes(draw, model):
    axes = draw(st.lists(st.integers(0, max(model.ndim - 1, 0)), unique=True, max_size=model.ndim))
    signed = [axis - model.ndim if draw(st.booleans()) else axis for axis in axes]
    return axes, signed


def reduce_step(draw, dependence, model):
    axes, signed = drawn_axes(draw, model)
    kept = [n for axis, n in enumerate(model.shape) if axis not in axes]
    return dependence.reduce(signed), union_over(model, axes).reshape(kept)


def mix_step(draw, dependence, model):
    axes, signed = drawn_axes(draw, model)
    return dependence.mix(signed), np.broadcast_to(union_over(model, axes), model.shape)


def accumulate_step(draw, dependence, model):
    if not model.ndim:
        return dependence, model
    axis, reverse = draw(st.integers(0, model.ndim - 1)), draw(st.booleans())
    moved = np.moveaxis(model, axis, 0)[:: -1 if reverse else 1].copy()
    for k in range(1, len(moved)):
        moved[k, ...] = union(moved[k - 1], moved[k])
    expected = np.moveaxis(moved[:: -1 if reverse else 1], 0, axis)
    return dependence.accumulate(axis, reverse), expected


def through_step(draw, dependence, model):
    shape = draw(shapes)
    count = math.prod(shape)
    links = draw(hnp.arrays(bool, (count, model.size)))
    flat = model.reshape(-1)
    sets = [frozenset().union(*flat[links[k]]) for k in range(count)]
    return dependence.through(sp.csr_array(links), shape), naive(sets, shape)


def substitute_step(draw, dependence, model):
    operand, operand_model = draw(leaves((2, WIDTH // 2)))
    flat = operand_model.reshape(-1)
    sets = [frozenset().union(*(flat[i] for i in one)) for one in model.reshape(-1)]
    return dependence.substitute(operand), naive(sets, model.shape)


def select_step(draw, dependence, model):
    pairs = [(dependence, model), *(draw(leaves(model.shape)) for _ in range(2))]
    choice = draw(hnp.arrays(np.int32, model.shape, elements=st.integers(0, 2)))
    columns = zip(choice.reshape(-1), *(m.reshape(-1) for _, m in pairs), strict=True)
    sets = [options[which] for which, *options in columns]
    return Dependence.select(choice, [d for d, _ in pairs]), naive(sets, model.shape)


def where_step(draw, dependence, model):
    other, other_model = draw(leaves(model.shape))
    ones = tuple(draw(st.sampled_from([1, n])) for n in model.shape)
    mask = draw(hnp.arrays(bool, ones))
    columns = zip(
        np.broadcast_to(mask, model.shape).reshape(-1),
        model.reshape(-1),
        other_model.reshape(-1),
        strict=True,
    )
    sets = [one if yes else two for yes, one, two in columns]
    return Dependence.where(mask, dependence, other), naive(sets, model.shape)


def keep_step(draw, dependence, model):
    mask = draw(hnp.arrays(bool, model.shape))
    pairs = zip(mask.reshape(-1), model.reshape(-1), strict=True)
    return dependence.keep(mask), naive([one if yes else () for yes, one in pairs], model.shape)


def concatenate_step(draw, dependence, model):
    if not model.ndim:
        return dependence, model
    axis = draw(st.integers(0, model.ndim - 1))
    pairs = [(dependence, model)]
    for _ in range(draw(st.sampled_from([0, 1, 2, MORE_THAN_THE_TERM_LIMIT]))):
        shape = list(model.shape)
        shape[axis] = draw(st.integers(0, 2))
        pairs.append(draw(leaves(tuple(shape))))
    joined = Dependence.concatenate([d for d, _ in pairs], axis)
    return joined, np.concatenate([m for _, m in pairs], axis)


def join_step(draw, dependence, model):
    pairs = [(dependence, model), *(draw(leaves(draw(shapes))) for _ in range(3))]
    flat = np.concatenate([m.reshape(-1) for _, m in pairs])
    return Dependence.join([d for d, _ in pairs]), flat


STEPS = {
    name.removesuffix("_step"): step
    for name, step in list(globals().items())
    if name.endswith("_step")
}
GROWING = ["union", "rearrange", "broadcast", "through", "mix", "concatenate", "where", "transpose"]


@st.composite
def programs(draw):
    """A dependence and its model after a random program, kept small."""
    dependence, model = draw(leaves(draw(shapes)))
    for name in draw(st.lists(st.sampled_from(GROWING), max_size=4)):
        if model.size <= 30:
            dependence, model = STEPS[name](draw, dependence, model)
    return dependence, model
