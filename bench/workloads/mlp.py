"""The two-layer perceptron on Fashion-MNIST."""
from workload import FASHION, Workload, fashion_batches

BATCH = 64


def torch():
    from torch import nn
    from torch_peer import Training
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    return Training(net, lambda net, x, y: nn.functional.cross_entropy(net(x.float() / 255), y.long()), fashion_batches(BATCH))


def jax():
    from jax.nn import relu
    from jax_peer import Training, apply_linear, cross_entropy, linear
    parameters = {"up": linear(784, 128), "down": linear(128, 10)}

    def loss(p, x, y):
        hidden = relu(apply_linear(p["up"], x.reshape(-1, 784).astype("float32") / 255))
        return cross_entropy(apply_linear(p["down"], hidden), y)
    return Training(parameters, loss, fashion_batches(BATCH))


WORKLOADS = [Workload("mlp", "MNIST perceptron", "training", "mlp", (f"--dir={FASHION}",), 100, torch, jax)]
