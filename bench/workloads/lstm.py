"""A language model of characters with an LSTM."""
from workload import WORDS, Workload, window_batches

WIDTH, WINDOW, BATCH = 256, 64, 32
# A cell has two products of [BATCH, WIDTH] with [WIDTH, 4 WIDTH], the head one with [WIDTH, 256]; each once forward and twice backward.
FLOPS = 3 * 2 * BATCH * WINDOW * (2 * WIDTH * 4 * WIDTH + WIDTH * 256)


def text_batches():
    import numpy
    return window_batches(numpy.fromfile(WORDS, "uint8"), BATCH, WINDOW)


def torch():
    from torch import nn
    from torch_peer import Training

    class Speller(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(256, WIDTH)
            self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)
            self.head = nn.Linear(WIDTH, 256)

        def forward(self, ids):
            return self.head(self.lstm(self.embed(ids))[0])

    def loss(net, x, y):
        return nn.functional.cross_entropy(net(x.long()).view(-1, 256), y.long().reshape(-1))
    return Training(Speller(), loss, text_batches(), {"lr": 2e-3}, clip=1)


def jax():
    import jax
    import jax.numpy as jnp
    from jax_peer import Training, apply_linear, cross_entropy, linear, uniform
    bound = WIDTH ** -0.5
    parameters = {"embed": uniform(256, WIDTH, bound=1), "input": linear(WIDTH, 4 * WIDTH), "hidden": uniform(WIDTH, 4 * WIDTH, bound=bound), "head": linear(WIDTH, 256)}

    def loss(p, x, y):
        drives = apply_linear(p["input"], p["embed"][x]).transpose(1, 0, 2)

        def cell(state, drive):
            h, c = state
            i, f, g, o = jnp.split(drive + h @ p["hidden"], 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h
        zeros = jnp.zeros((BATCH, WIDTH))
        _, h = jax.lax.scan(cell, (zeros, zeros), drives)
        return cross_entropy(apply_linear(p["head"], h.transpose(1, 0, 2)), y)
    return Training(parameters, loss, text_batches(), {"lr": 2e-3}, clip=1)


WORKLOADS = [Workload("lstm", "LSTM language model", "training", "lstm", (f"--text={WORDS}",), 1, torch, jax, flops=FLOPS)]
