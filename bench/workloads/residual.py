"""A small residual network on Fashion-MNIST."""
from workload import FASHION, Workload, fashion_batches

BATCH = 64
STAGES = ((16, 16, 1), (16, 32, 2), (32, 64, 2))  # channels, those of the result, stride


def torch():
    from torch import nn
    from torch_peer import Training

    class Residual(nn.Module):
        def __init__(self, channels, out, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(out)
            self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(out)
            self.shortcut = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1, stride, bias=False)

        def forward(self, x):
            y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
            return (y + self.shortcut(x)).relu()

    net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), *(Residual(*stage) for stage in STAGES), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1),
                        nn.Linear(64, 10))
    return Training(net, lambda net, x, y: nn.functional.cross_entropy(net(x.float().unsqueeze(1) / 255), y.long()), fashion_batches(BATCH))


def jax():
    import jax
    from jax.nn import relu
    from jax_peer import Training, apply_conv, apply_linear, batch_norm_training, conv, cross_entropy, linear, norm, statistics

    def residual(channels, out):
        p = {"conv1": conv(channels, out, 3, bias=False), "norm1": norm(out), "conv2": conv(out, out, 3, bias=False), "norm2": norm(out)}
        return p if channels == out else p | {"shortcut": conv(channels, out, 1, bias=False)}

    parameters = {"stem": conv(1, 16, 3), "stages": [residual(channels, out) for channels, out, _ in STAGES], "head": linear(64, 10)}
    running = [(statistics(out), statistics(out)) for _, out, _ in STAGES]

    def loss(p, others, x, y):
        running, key = others
        x = relu(apply_conv(p["stem"], x[..., None].astype("float32") / 255))
        kept = []
        for stage, (first, second), (_, _, stride) in zip(p["stages"], running, STAGES):
            z, first = batch_norm_training(stage["norm1"], first, apply_conv(stage["conv1"], x, stride))
            z, second = batch_norm_training(stage["norm2"], second, apply_conv(stage["conv2"], relu(z)))
            x = relu(z + (apply_conv(stage["shortcut"], x, stride) if "shortcut" in stage else x))
            kept.append((first, second))
        key, used = jax.random.split(key)
        x = x.mean((1, 2))
        x = x * jax.random.bernoulli(used, 0.9, x.shape) / 0.9
        return cross_entropy(apply_linear(p["head"], x), y), (kept, key)
    return Training(parameters, loss, fashion_batches(BATCH), others=(running, jax.random.key(0)))


WORKLOADS = [Workload("residual", "residual network", "training", "residual", (f"--dir={FASHION}",), 2, torch, jax)]
