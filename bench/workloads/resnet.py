"""ResNet-18 and ResNet-50 in inference."""
from workload import INFERENCE, Workload, normal_batches, normal_file

IMAGES = (16, 3, 224, 224)


def stages(bottleneck):
    """(channels, width, stride) of every block."""
    growth = 4 if bottleneck else 1
    channels, blocks = 64, []
    for stage, depth in enumerate((3, 4, 6, 3) if bottleneck else (2, 2, 2, 2)):
        for block in range(depth):
            width = 64 << stage
            blocks.append((channels, width, 2 if stage and not block else 1))
            channels = growth * width
    return blocks, growth


def torch(bottleneck, batch):
    from torch import nn
    from torch_peer import Inference
    blocks, growth = stages(bottleneck)

    def unit(channels, out, kernel, stride=1):
        return nn.Sequential(nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out))

    class Block(nn.Module):
        def __init__(self, channels, width, stride):
            super().__init__()
            if bottleneck:
                self.body = nn.Sequential(unit(channels, width, 1), nn.ReLU(), unit(width, width, 3, stride), nn.ReLU(), unit(width, growth * width, 1))
            else:
                self.body = nn.Sequential(unit(channels, width, 3, stride), nn.ReLU(), unit(width, width, 3))
            same = stride == 1 and channels == growth * width
            self.shortcut = nn.Identity() if same else unit(channels, growth * width, 1, stride)

        def forward(self, x):
            return (self.body(x) + self.shortcut(x)).relu()

    net = nn.Sequential(unit(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *(Block(*block) for block in blocks), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                        nn.Linear(512 * growth, 1000))
    return Inference(net, normal_batches(IMAGES[0], batch, *IMAGES[1:]))


def jax(bottleneck, batch):
    from jax.nn import relu
    from jax_peer import Inference, apply_linear, apply_unit, linear, max_pool, unit
    blocks, growth = stages(bottleneck)

    def block(channels, width, stride):
        kernels = ((channels, width, 1), (width, width, 3), (width, growth * width, 1)) if bottleneck else ((channels, width, 3), (width, width, 3))
        p = {"body": [unit(*kernel) for kernel in kernels]}
        return p if stride == 1 and channels == growth * width else p | {"shortcut": unit(channels, growth * width, 1)}

    parameters = {"stem": unit(3, 64, 7), "blocks": [block(*sizes) for sizes in blocks], "head": linear(512 * growth, 1000)}

    def forward(p, x):
        x = max_pool(relu(apply_unit(p["stem"], x.transpose(0, 2, 3, 1), 2)), 3, 2, 1)
        for block, (_, _, stride) in zip(p["blocks"], blocks):
            y, last = x, len(block["body"]) - 1
            for place, layer in enumerate(block["body"]):
                y = apply_unit(layer, y, stride if place == (1 if bottleneck else 0) else 1)
                y = relu(y) if place < last else y
            x = relu(y + (apply_unit(block["shortcut"], x, stride) if "shortcut" in block else x))
        return apply_linear(p["head"], x.mean((1, 2)))
    return Inference(parameters, forward, normal_batches(IMAGES[0], batch, *IMAGES[1:]))


def workload(layers, batch, winograd):
    arguments = (f"--inputs={normal_file(*IMAGES)}",)
    name, title = f"resnet{layers}-{batch}", f"ResNet-{layers}, batch {batch}"
    return Workload(name + "-winograd" * winograd, title + ", `--winograd`" * winograd, "inference", "resnet", arguments, 1, torch, jax,
                    {"bottleneck": layers == 50, "batch": batch}, ("--winograd",) * winograd, name * winograd, INFERENCE)


WORKLOADS = [workload(layers, batch, winograd) for winograd in (False, True) for layers in (18, 50) for batch in (1, 8)]
