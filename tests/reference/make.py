#!/usr/bin/env python3
"""Makes the fixtures of this folder with PyTorch (2.x, CPU) and its safetensors package: inputs, outputs, gradients, loss curves. Run by hand when
a fixture is added; the tests read the files only.

    make.py                                   writes the fixtures
    make.py mnist IMAGES LABELS WEIGHTS       prints the f32 and f64 losses of 50 steps of mnist.nn's network on real data, for comparison by hand,
                                              and writes the weights that they start from
"""
import gzip
import json
import pathlib
import struct
import sys

import numpy
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent


def write_idx(path, array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + b"".join(struct.pack(">I", n) for n in array.shape)
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(header + array.tobytes())


def read_idx(path):
    opened = gzip.open(path) if path.endswith(".gz") else open(path, "rb")
    with opened as file:
        rank = struct.unpack(">HBB", file.read(4))[2]
        shape = struct.unpack(f">{rank}I", file.read(4 * rank))
        return numpy.frombuffer(file.read(), numpy.uint8).reshape(shape)


def layers():
    torch.manual_seed(1)
    d = torch.float64
    t = {"x": torch.randn(3, 7, dtype=d), "c5": torch.randn(3, 5, dtype=d), "c7": torch.randn(3, 7, dtype=d),
         "deep": torch.randn(2, 3, 7, dtype=d), "cdeep": torch.randn(2, 3, 5, dtype=d),
         "fc.weight": torch.randn(5, 7, dtype=d), "fc.bias": torch.randn(5, dtype=d),
         "plain.weight": torch.randn(5, 7, dtype=d), "table.weight": torch.randn(11, 7, dtype=d)}
    t = {name: v.float().double() for name, v in t.items()}  # the same numbers at f32 and f64
    save_file(t, HERE / "layers-in.safetensors")
    leaf = {name: v.clone().requires_grad_() for name, v in t.items()}
    x, out = leaf["x"], {}

    def record(name, y, cotangent):
        out[f"{name}.y"] = y.detach()
        out[f"{name}.dx"] = torch.autograd.grad((y * cotangent).sum(), x, retain_graph=True)[0]

    linear = F.linear(x, leaf["fc.weight"], leaf["fc.bias"])
    record("linear", linear, t["c5"])
    out["dweight"], out["dbias"] = torch.autograd.grad((linear * t["c5"]).sum(), [leaf["fc.weight"], leaf["fc.bias"]])
    plain = F.linear(x, leaf["plain.weight"])
    record("plain", plain, t["c5"])
    out["dplain"] = torch.autograd.grad((plain * t["c5"]).sum(), leaf["plain.weight"])[0]
    deep = F.linear(leaf["deep"], leaf["fc.weight"], leaf["fc.bias"])
    out["ydeep"] = deep.detach()
    out["ddeep"] = torch.autograd.grad((deep * t["cdeep"]).sum(), leaf["deep"])[0]
    for name, f in [("relu", F.relu), ("gelu", F.gelu), ("silu", F.silu), ("tanh", torch.tanh), ("sigmoid", torch.sigmoid),
                    ("softmax", lambda v: F.softmax(v, -1)), ("log_softmax", lambda v: F.log_softmax(v, -1))]:
        record(name, f(x), t["c7"])
    embedded = F.embedding(torch.arange(3) * 5 % 11, leaf["table.weight"])
    out["embedded"] = embedded.detach()
    out["dtable"] = torch.autograd.grad((embedded * t["c7"]).sum(), leaf["table.weight"])[0]
    cross = F.cross_entropy(x, torch.arange(3) * 3 % 7)
    out["cross_entropy"], out["dcross_entropy"] = cross.detach(), torch.autograd.grad(cross, x)[0]
    square = F.mse_loss(x, t["c7"])
    out["mse"], out["dmse"] = square.detach(), torch.autograd.grad(square, x)[0]
    save_file({name: v.contiguous() for name, v in out.items()}, HERE / "layers-out.safetensors")


def optimizers():
    torch.manual_seed(2)
    start = torch.randn(5).double()
    save_file({"w": start}, HERE / "optimizers-in.safetensors")
    goal = torch.arange(5, dtype=torch.float64) / 4
    makers = {"sgd": lambda p: torch.optim.SGD(p, lr=0.05), "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
              "adam": lambda p: torch.optim.Adam(p, lr=0.1), "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.05)}
    steps = {}
    for name, make in makers.items():
        w = start.clone().requires_grad_()
        optimizer = make([w])
        steps[name] = []
        for _ in range(10):
            optimizer.zero_grad()
            (((w - goal) ** 4).sum() / 4).backward()
            if name == "adamw":
                torch.nn.utils.clip_grad_norm_([w], 0.5)
            optimizer.step()
            steps[name].append(w.tolist())
    (HERE / "optimizers.json").write_text(json.dumps(steps, indent=0) + "\n")


def train(net, images, labels, dtype, epochs, batch, limit):
    """The losses of training `net` (up, down) with AdamW in file order."""
    net = {name: v.to(dtype).clone().requires_grad_() for name, v in net.items()}
    optimizer = torch.optim.AdamW(net.values(), lr=1e-3)
    losses = []
    for _ in range(epochs):
        for first in range(0, min(len(images), limit), batch):
            x = torch.from_numpy(images[first:first + batch].copy()).to(dtype).flatten(1) / 255
            y = torch.from_numpy(labels[first:first + batch].astype(numpy.int64))
            hidden = F.relu(F.linear(x, net["up.weight"], net["up.bias"]))
            loss = F.cross_entropy(F.linear(hidden, net["down.weight"], net["down.bias"]), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def weights(inputs, hidden):
    torch.manual_seed(3)
    up, down = torch.nn.Linear(inputs, hidden), torch.nn.Linear(hidden, 10)
    return {"up.weight": up.weight.data, "up.bias": up.bias.data, "down.weight": down.weight.data, "down.bias": down.bias.data}


def mlp():
    random = numpy.random.default_rng(4)
    labels = random.integers(0, 10, 330).astype(numpy.uint8)
    prototypes = random.integers(0, 16, (10, 12, 12))
    images = ((prototypes[labels] + random.integers(0, 8, (330, 12, 12))) % 16 * 16).astype(numpy.uint8)
    write_idx(HERE / "mlp-images.gz", images)
    write_idx(HERE / "mlp-labels.gz", labels)
    net = weights(144, 16)
    save_file(net, HERE / "mlp-in.safetensors")
    curves = {name: train(net, images, labels, dtype, 9, 64, 10**9) for name, dtype in [("f32", torch.float32), ("f64", torch.float64)]}
    (HERE / "mlp.json").write_text(json.dumps(curves, indent=0) + "\n")


def main():
    if sys.argv[1:2] == ["mnist"]:
        images, labels, path = sys.argv[2:]
        net = weights(784, 128)
        save_file(net, path)
        for dtype in (torch.float32, torch.float64):
            print(json.dumps(train(net, read_idx(images), read_idx(labels), dtype, 1, 64, 3200)))
        return
    layers()
    optimizers()
    mlp()


main()
