"""JAX. A workload's `jax` gives one of the descriptions below. Layers here are functions of their parameters, with PyTorch's layouts where XLA doesn't mind."""
import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy


@dataclasses.dataclass
class Training:
    parameters: dict
    loss: Callable  # (parameters, *batch) -> loss, or with `others` (parameters, others, *batch) -> (loss, others)
    batches: Iterator
    optimizer: dict = dataclasses.field(default_factory=dict)
    clip: float = 0
    others: object = None  # running statistics, keys of randomness


@dataclasses.dataclass
class Inference:
    parameters: dict
    forward: Callable  # (parameters, input) -> output
    inputs: list
    feedback: bool = False


@dataclasses.dataclass
class Recurrence:
    parameters: dict
    step: Callable  # (parameters, state) -> state; its first part is reported
    state: tuple


# --- layers
generator = numpy.random.default_rng(0)


def uniform(*shape, bound):
    return jnp.asarray(generator.uniform(-bound, bound, shape), "float32")


def linear(inputs, outputs):
    bound = inputs ** -0.5
    return {"w": uniform(inputs, outputs, bound=bound), "b": uniform(outputs, bound=bound)}


def apply_linear(p, x):
    return x @ p["w"] + p["b"]


def conv(inputs, outputs, kernel, bias=True, groups=1):
    """Weights of a convolution of pictures [B, H, W, C]."""
    bound = (inputs // groups * kernel * kernel) ** -0.5
    p = {"w": uniform(kernel, kernel, inputs // groups, outputs, bound=bound)}
    return p | {"b": uniform(outputs, bound=bound)} if bias else p


def apply_conv(p, x, stride=1, groups=1):
    pad = p["w"].shape[0] // 2
    y = jax.lax.conv_general_dilated(x, p["w"], (stride, stride), [(pad, pad), (pad, pad)], dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups)
    return y + p["b"] if "b" in p else y


def max_pool(x, kernel, stride, pad=0):
    padding = [(0, 0), (pad, pad), (pad, pad), (0, 0)]
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, kernel, kernel, 1), (1, stride, stride, 1), padding)


def norm(width):
    return {"w": jnp.ones(width), "b": jnp.zeros(width)}


def statistics(width):
    return {"mean": jnp.zeros(width), "variance": jnp.ones(width)}


def layer_norm(p, x):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5) * p["w"] + p["b"]


def batch_norm(p, running, x):
    """In inference."""
    return (x - running["mean"]) * (jax.lax.rsqrt(running["variance"] + 1e-5) * p["w"]) + p["b"]


def batch_norm_training(p, running, x):
    mean, square = x.mean((0, 1, 2)), (x * x).mean((0, 1, 2))
    variance = square - mean * mean
    count = x.size // x.shape[-1]
    kept = {"mean": 0.9 * running["mean"] + 0.1 * mean, "variance": 0.9 * running["variance"] + 0.1 * variance * (count / (count - 1))}
    return (x - mean) * (jax.lax.rsqrt(variance + 1e-5) * p["w"]) + p["b"], kept


def cross_entropy(logits, labels):
    rows = jax.nn.log_softmax(logits.reshape(-1, logits.shape[-1]))
    return -jnp.take_along_axis(rows, labels.reshape(-1, 1).astype("int32"), axis=1).mean()


def unit(channels, out, kernel, groups=1):
    """A convolution with normalisation, in inference."""
    return {"conv": conv(channels, out, kernel, bias=False, groups=groups), "norm": norm(out), "running": statistics(out)}


def apply_unit(p, x, stride=1, groups=1):
    return batch_norm(p["norm"], p["running"], apply_conv(p["conv"], x, stride, groups))


# --- steps
def adamw(parameters, gradients, moments, lr=1e-3, betas=(0.9, 0.999), weight_decay=0.01):
    first, second, t = moments
    t = t + 1
    scale, root = 1 / (1 - betas[0] ** t), jax.lax.rsqrt(1 - betas[1] ** t)
    first = jax.tree.map(lambda m, g: betas[0] * m + (1 - betas[0]) * g, first, gradients)
    second = jax.tree.map(lambda v, g: betas[1] * v + (1 - betas[1]) * g * g, second, gradients)
    moved = jax.tree.map(lambda p, m, v: p * (1 - lr * weight_decay) - lr * scale * m / (jnp.sqrt(v) * root + 1e-8), parameters, first, second)
    return moved, (first, second, t)


def train(work):
    optimizer = functools.partial(adamw, **work.optimizer)
    stateless = work.others is None
    loss_of = (lambda p, others, *batch: (work.loss(p, *batch), None)) if stateless else work.loss

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def update(parameters, others, moments, *batch):
        (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters, others, *batch)
        if work.clip:
            length = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradients)))
            factor = jnp.minimum(1, work.clip / (length + 1e-6))
            gradients = jax.tree.map(lambda g: g * factor, gradients)
        parameters, moments = optimizer(parameters, gradients, moments)
        return parameters, others, moments, loss

    zeros = lambda: jax.tree.map(jnp.zeros_like, work.parameters)
    state = (work.parameters, work.others, (zeros(), zeros(), jnp.float32(0)))

    def step():
        nonlocal state
        *state, loss = update(*state, *next(work.batches))
        return loss
    return step


def infer(work):
    if work.feedback:
        return repeat(work)
    forward = jax.jit(work.forward)
    rounds = itertools.cycle(work.inputs)
    return lambda: forward(work.parameters, next(rounds))


def repeat(work):
    """Calls that feed each other are a loop that is compiled, too: one in so many steps does them all."""
    calls = 10000
    many = jax.jit(lambda parameters, x: jax.lax.fori_loop(0, calls, lambda _, y: work.forward(parameters, y), x))
    last, due = work.inputs[0], 0

    def step():
        nonlocal last, due
        if due == 0:
            last, due = many(work.parameters, last), calls
        due -= 1
        return last
    return step


def recur(work):
    advance = jax.jit(work.step, donate_argnums=1)
    state = work.state

    def step():
        nonlocal state
        state = advance(work.parameters, state)
        return state[0]
    return step


def make(workload, threads):
    work = workload.jax(**workload.constants)
    return {Training: train, Inference: infer, Recurrence: recur}[type(work)](work)


os.environ.setdefault("JAX_PLATFORMS", "cpu")
jax.config.update("jax_default_prng_impl", "rbg")
