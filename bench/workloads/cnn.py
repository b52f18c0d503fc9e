"""A small convolutional network on Fashion-MNIST."""
from workload import FASHION, Workload, fashion_batches

BATCH = 64


def torch():
    from torch import nn
    from torch_peer import Training
    net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))
    return Training(net, lambda net, x, y: nn.functional.cross_entropy(net(x.float().unsqueeze(1) / 255), y.long()), fashion_batches(BATCH))


def jax():
    from jax.nn import relu
    from jax_peer import Training, apply_conv, apply_linear, conv, cross_entropy, linear, max_pool
    parameters = {"conv1": conv(1, 16, 3), "conv2": conv(16, 32, 3), "up": linear(32 * 7 * 7, 128), "down": linear(128, 10)}

    def loss(p, x, y):
        x = x[..., None].astype("float32") / 255
        x = max_pool(relu(apply_conv(p["conv1"], x)), 2, 2)
        x = max_pool(relu(apply_conv(p["conv2"], x)), 2, 2).reshape(BATCH, -1)
        return cross_entropy(apply_linear(p["down"], relu(apply_linear(p["up"], x))), y)
    return Training(parameters, loss, fashion_batches(BATCH))


WORKLOADS = [Workload("cnn", "small CNN", "training", "cnn", (f"--dir={FASHION}",), 10, torch, jax)]
