"""A network so small that calling it costs more than computing it: its output is its next input."""
from workload import INFERENCE, Workload, normal_batches

WIDTH = 32


def torch():
    from torch import nn
    from torch_peer import Inference
    return Inference(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH)), normal_batches(1, 1, WIDTH), feedback=True)


def jax():
    from jax.nn import relu
    from jax_peer import Inference, apply_linear, linear
    parameters = {"up": linear(WIDTH, WIDTH), "down": linear(WIDTH, WIDTH)}
    return Inference(parameters, lambda p, x: apply_linear(p["down"], relu(apply_linear(p["up"], x))), normal_batches(1, 1, WIDTH), feedback=True)


WORKLOADS = [Workload("perceptron", "32-wide perceptron, a call", "inference", "perceptron", (), 100000, torch, jax, peers=INFERENCE)]
