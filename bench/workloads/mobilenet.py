"""MobileNetV2 in inference."""
from workload import INFERENCE, Workload, normal_batches, normal_file

IMAGES = (16, 3, 224, 224)
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))  # expansion, channels, depth, stride


def blocks():
    """(channels, those of the result, stride, expansion) of every block."""
    channels = 32
    for expansion, out, depth, stride in STAGES:
        for block in range(depth):
            yield channels, out, 1 if block else stride, expansion
            channels = out


def torch():
    from torch import nn
    from torch_peer import Inference

    def unit(channels, out, kernel, stride=1, groups=1):
        return nn.Sequential(nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(out))

    class Block(nn.Module):
        def __init__(self, channels, out, stride, expansion):
            super().__init__()
            width = channels * expansion
            expand = [unit(channels, width, 1), nn.ReLU6()] if expansion != 1 else []
            self.body = nn.Sequential(*expand, unit(width, width, 3, stride, width), nn.ReLU6(), unit(width, out, 1))
            self.residual = stride == 1 and channels == out

        def forward(self, x):
            return x + self.body(x) if self.residual else self.body(x)

    net = nn.Sequential(unit(3, 32, 3, 2), nn.ReLU6(), *(Block(*block) for block in blocks()), unit(320, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                        nn.Linear(1280, 1000))
    return Inference(net, normal_batches(IMAGES[0], 1, *IMAGES[1:]))


def jax():
    from jax.nn import relu6
    from jax_peer import Inference, apply_linear, apply_unit, linear, unit

    def block(channels, out, stride, expansion):
        width = channels * expansion
        p = {"depthwise": unit(width, width, 3, width), "project": unit(width, out, 1)}
        return p if expansion == 1 else p | {"expand": unit(channels, width, 1)}

    parameters = {"stem": unit(3, 32, 3), "blocks": [block(*sizes) for sizes in blocks()], "last": unit(320, 1280, 1), "head": linear(1280, 1000)}

    def forward(p, x):
        x = relu6(apply_unit(p["stem"], x.transpose(0, 2, 3, 1), 2))
        for block, (channels, out, stride, expansion) in zip(p["blocks"], blocks()):
            y = relu6(apply_unit(block["expand"], x)) if "expand" in block else x
            y = apply_unit(block["project"], relu6(apply_unit(block["depthwise"], y, stride, channels * expansion)))
            x = x + y if stride == 1 and channels == out else y
        return apply_linear(p["head"], relu6(apply_unit(p["last"], x)).mean((1, 2)))
    return Inference(parameters, forward, normal_batches(IMAGES[0], 1, *IMAGES[1:]))


WORKLOADS = [Workload("mobilenet", "MobileNetV2, batch 1", "inference", "mobilenet", (f"--inputs={normal_file(*IMAGES)}",), 1, torch, jax, peers=INFERENCE)]
