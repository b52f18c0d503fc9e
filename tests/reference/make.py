#!/usr/bin/env python3
"""Makes the fixtures of this folder with PyTorch (2.x, CPU) and its safetensors package: inputs, outputs, gradients, loss curves. Run by hand when
a fixture is added; the tests read the files only.

    make.py [NAME…]                           writes the fixtures, or those named
    make.py mnist IMAGES LABELS WEIGHTS       prints the f32 and f64 losses of 50 steps of mnist.nn's network on real data, for comparison by hand,
                                              and writes the weights that they start from
    make.py speller TEXT WEIGHTS              the same of chars.nn's network, on windows of the text in order; compare with speller.nn built with
                                              -D width=256 -D window=64 -D batch=32 -D letters=256 -D samples=1600
"""
import copy
import gzip
import inspect
import json
import math
import pathlib
import struct
import sys

import numpy
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent
RECURRENT = [(3, 5), (1, 1), (2, 1), (1, 4)]  # sequences and steps
LONG = [1, 2, 64]  # steps
TRANSFORMER = [(3, 5, 4), (1, 1, 1), (2, 1, 4), (1, 4, 3)]  # sequences, queries, keys

CONVOLVED = [3, 1]  # samples
ATTENDED = [(5, 7), (1, 7), (5, 1), (2, 3)]  # queries and keys
DTYPES = {"f32": torch.float32, "f64": torch.float64}


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


def functions():
    """Each function has arguments of its own: `x`, and what else the lambdas name; `c` is the cotangent of its result."""
    torch.manual_seed(6)
    x = 2 * torch.randn(3, 8)
    x[0, :5] = torch.tensor([0, 9, -9, 1e-3, -1e-3])  # corners, zero and where rounding shows
    y, z = torch.sigmoid(torch.randn(3, 8)), 0.3 + torch.rand(3, 8)
    given = {"x": x, "y": y, "z": z, "w": 0.3 + torch.rand(8), "weight": torch.randn(8), "bias": torch.randn(8)}
    classes, deep = torch.arange(3) * 3 % 8, torch.arange(6) * 3 % 4
    some = torch.tensor([0, -100, 6])
    signs = torch.where(torch.arange(24) % 3 == 0, 1.0, -1.0).double().reshape(3, 8)
    log_softmax = lambda v: torch.log_softmax(v, -1)
    table = {
        "relu": lambda x: F.relu(x), "gelu": lambda x: F.gelu(x), "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": lambda x: F.silu(x), "tanh": lambda x: torch.tanh(x), "sigmoid": lambda x: torch.sigmoid(x),
        "softplus": lambda x: F.softplus(x), "softplus_beta": lambda x: F.softplus(x, beta=2.5, threshold=100),
        "log_sigmoid": lambda x: F.logsigmoid(x), "leaky_relu": lambda x: F.leaky_relu(x),
        "leaky_relu_slope": lambda x: F.leaky_relu(x, 0.2), "elu": lambda x: F.elu(x), "elu_alpha": lambda x: F.elu(x, 0.7),
        "celu": lambda x: F.celu(x, 0.5), "selu": lambda x: F.selu(x), "mish": lambda x: F.mish(x), "softsign": lambda x: F.softsign(x),
        "relu6": lambda x: F.relu6(x), "hardtanh": lambda x: F.hardtanh(x, -0.5, 1.5), "hardsigmoid": lambda x: F.relu6(x + 3) / 6,  # the gradient of F.hardsigmoid is that of f32
       
        "hardswish": lambda x: F.hardswish(x), "threshold": lambda x: F.threshold(x, 0.1, 3), "hardshrink": lambda x: F.hardshrink(x),
        "softshrink": lambda x: F.softshrink(x, 0.3), "tanhshrink": lambda x: F.tanhshrink(x),
        "softmax": lambda x: F.softmax(x, -1), "softmax_0": lambda x: F.softmax(x, 0), "log_softmax": lambda x: F.log_softmax(x, -1),
        "log_softmax_0": lambda x: F.log_softmax(x, 0), "glu": lambda x: F.glu(x), "prelu": lambda x, weight: F.prelu(x, weight[:1]),
        "prelu_channels": lambda x, weight: F.prelu(x.reshape(3, 4, 2), weight[:4]).reshape(3, 8),
        "cross": lambda x: F.cross_entropy(x, classes), "cross_sum": lambda x: F.cross_entropy(x, classes, reduction="sum"),
        "cross_smooth": lambda x: F.cross_entropy(x, classes, label_smoothing=0.1),
        "cross_weighted": lambda x, w: F.cross_entropy(x, classes, w),
        "cross_all": lambda x, w: F.cross_entropy(x, some, w, label_smoothing=0.2),
        "cross_all_sum": lambda x, w: F.cross_entropy(x, some, w, label_smoothing=0.2, reduction="sum"),
        "cross_inside": lambda x, w: F.cross_entropy(x, classes, w, ignore_index=3, label_smoothing=0.2),
        "cross_deep": lambda x: F.cross_entropy(x.reshape(3, 2, 4).transpose(1, 2), deep.reshape(3, 2), label_smoothing=0.1),
        "cross_soft": lambda x, y: F.cross_entropy(x, y),
        "cross_soft_all": lambda x, w: F.cross_entropy(x, signs.softmax(-1), w, label_smoothing=0.1),
        "nll": lambda x: F.nll_loss(log_softmax(x), classes), "nll_all": lambda x, w: F.nll_loss(log_softmax(x), some, w),
        # x / 4: at f32, 1 - sigmoid(9) has lost half of its digits. By its definition: PyTorch has no gradient by the weight.
        "bce": lambda x, y, z: (F.binary_cross_entropy(torch.sigmoid(x / 4), y, reduction="none") * z).mean(),
        "logits": lambda x, y: F.binary_cross_entropy_with_logits(x, y),
        "logits_all": lambda x, w: F.binary_cross_entropy_with_logits(x, signs.sigmoid(), pos_weight=w, reduction="sum"),
        "kl": lambda x, y: F.kl_div(log_softmax(x), y, reduction="batchmean"),
        "kl_mean": lambda x, y: F.kl_div(log_softmax(x), y, reduction="mean"),
        "kl_log": lambda x, y: F.kl_div(log_softmax(x), y.log(), reduction="batchmean", log_target=True),
        "l1": lambda x, y: F.l1_loss(x, y), "mse": lambda x, y: F.mse_loss(x, y), "mse_sum": lambda x, y: F.mse_loss(x, y, reduction="sum"),
        "huber": lambda x, y: F.huber_loss(x, y, delta=0.7), "smooth_l1": lambda x, y: F.smooth_l1_loss(x, y, beta=0.4),
        "smooth_l1_0": lambda x, y: F.smooth_l1_loss(x, y, beta=0), "cosine": lambda x, y: F.cosine_similarity(x, y, -1),
        "cosine_embedding": lambda x, y: F.cosine_embedding_loss(x, y, signs[:, 0], margin=-0.3),
        "hinge": lambda x: F.hinge_embedding_loss(x, signs, margin=0.8),
        "ranking": lambda x, y: F.margin_ranking_loss(x, y, signs, margin=0.3), "soft": lambda x: F.soft_margin_loss(x, signs),
        "multi": lambda x: F.multi_margin_loss(x, classes, margin=0.9), "distance": lambda x, y: F.pairwise_distance(x, y),
        "triplet": lambda x, y, z: F.triplet_margin_loss(x, y, z),
        "triplet_swap": lambda x, y, z: F.triplet_margin_loss(x, y, z, margin=4, swap=True),
        "poisson": lambda x, y: F.poisson_nll_loss(x, y),
        "poisson_full": lambda x, y: F.poisson_nll_loss(x.abs() + 0.1, 3 * y, log_input=False, full=True),
        "gaussian": lambda x, y, z: F.gaussian_nll_loss(x, y, z),
        "gaussian_full": lambda x, y, z: F.gaussian_nll_loss(x, y, z, full=True, reduction="sum"),
        "rms": lambda x, weight: F.rms_norm(x, [8], weight, 1e-6),
        "layer": lambda x, weight, bias: F.layer_norm(x, [8], weight, bias),
        "group": lambda x, weight, bias: F.group_norm(x.view(3, 4, 2), 2, weight[:4], bias[:4]).reshape(3, 8),
        # By its definition: PyTorch refuses groups of one element.
        "thin": lambda x, weight, bias: (x - x) * weight + bias,
    }
    sizes = {"prelu": 1, "prelu_channels": 4, "group": 4}  # of weight and bias
    t, loss = {}, 0
    for name, f in table.items():
        for argument in inspect.signature(f).parameters:
            learnt = argument in ("weight", "bias")
            whole = given[argument][:sizes.get(name, 8)] if learnt else given[argument]
            t[f"{name}_layer.{argument}" if learnt else f"{name}.{argument}"] = whole
        t[f"{name}.c"] = torch.randn_like(f(*[given[a].double() for a in inspect.signature(f).parameters]))
    leaf = {name: v.detach() if name.endswith(".w") else v for name, v in leaves(t).items()}
    save_file({name: v.detach() for name, v in leaf.items()}, HERE / "functions-in.safetensors")
    for name, f in table.items():
        arguments = [leaf[f"{name}_layer.{a}" if a in ("weight", "bias") else f"{name}.{a}"] for a in inspect.signature(f).parameters]
        loss = loss + (f(*arguments) * leaf[f"{name}.c"]).sum()
    leaf = {name: v for name, v in leaf.items() if v.requires_grad}
    save_file(gradients(leaf, loss), HERE / "functions-out.safetensors")


def gradients(leaf, loss):
    """The gradient of the loss with respect to every leaf, 0 where it doesn't depend on it."""
    all_ = torch.autograd.grad(loss, list(leaf.values()), allow_unused=True)
    return {name: torch.zeros_like(v) if g is None else g.contiguous() for (name, v), g in zip(leaf.items(), all_)}


def leaves(values):
    """The same numbers at f32 and f64, as leaves."""
    return {name: v.detach().float().double().requires_grad_() for name, v in values.items()}


def recurrent():
    """For each (sequences, steps) a file: the gradient of recurrent.nn's loss."""
    torch.manual_seed(5)
    layers = {"lstm": torch.nn.LSTM(4, 5), "lstm2": torch.nn.LSTM(4, 5, 2, bidirectional=True), "lstm3": torch.nn.LSTM(4, 5, 3, bias=False),
              "gru": torch.nn.GRU(4, 5), "gru2": torch.nn.GRU(4, 5, 2), "gru_both": torch.nn.GRU(4, 5, bias=False, bidirectional=True),
              "rnn": torch.nn.RNN(4, 5), "rnn2": torch.nn.RNN(4, 5, 2, nonlinearity="relu", bidirectional=True)}
    t = {"x": torch.randn(3, 5, 4), "stepped": torch.randn(3, 5)}
    for name, layer in layers.items():
        directions = 2 if layer.bidirectional else 1
        for end in ["h", "last"] + ["c", "memory"] * name.startswith("lstm"):
            t[f"{name}.{end}"] = torch.randn(3, layer.num_layers * directions * 5)
        t[f"{name}.y"] = torch.randn(3, 5, directions * 5)
        layer.batch_first = True
        t |= {f"{name}.{key}": v for key, v in layer.named_parameters()}
        layer.double()
    leaf = leaves(t)
    save_file({name: v.detach() for name, v in leaf.items()}, HERE / "recurrent-in.safetensors")

    def case(b, steps):
        loss, x = 0, leaf["x"][:b, :steps]

        def run(name, state=None):
            weights = {key.removeprefix(f"{name}."): v for key, v in leaf.items() if key.startswith(f"{name}.")}
            return torch.func.functional_call(layers[name], weights, (x, state))

        def apart(name, end):  # [B, all layers' features] as PyTorch has it
            return leaf[f"{name}.{end}"][:b].reshape(b, -1, 5).transpose(0, 1).contiguous()
        for name in layers:
            if name.startswith("lstm"):
                y, (last, memory) = run(name, (apart(name, "h"), apart(name, "c")))
                loss = loss + (memory * apart(name, "memory")).sum()
            else:
                y, last = run(name, apart(name, "h"))
            loss = loss + (y * leaf[f"{name}.y"][:b, :steps]).sum() + (last * apart(name, "last")).sum()
        out = sum(factor * run(name)[0][:, -1] for name, factor in [("lstm3", 1), ("gru2", 2), ("rnn", 3)])
        save_file(gradients(leaf, loss + (out * leaf["stepped"][:b]).sum()), HERE / f"recurrent-{b}-{steps}.safetensors")
    for b, steps in RECURRENT:
        case(b, steps)


def long():
    """For each number of steps a file: the gradient of long.nn's loss, which holds a gradient itself, so that loops are differentiated twice."""
    torch.manual_seed(12)
    layers = {"lstm": torch.nn.LSTM(3, 4, batch_first=True), "both": torch.nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True),
              "gru": torch.nn.GRU(3, 4, batch_first=True)}
    t = {"x": torch.randn(2, max(LONG), 3), "a": 1 + torch.rand(5)}
    for name, layer in layers.items():
        layer.double()
        t |= {f"{name}.layer.{key}": v for key, v in layer.named_parameters()}
        t[f"{name}.y"] = torch.randn(2, max(LONG), 4 * (1 + layer.bidirectional))
    leaf = leaves(t)
    save_file({name: v.detach() for name, v in leaf.items()}, HERE / "long-in.safetensors")
    for steps in LONG:
        x, loss, outs = leaf["x"][:, :steps], 0, {}
        for name, layer in layers.items():
            weights = {key.removeprefix(f"{name}.layer."): v for key, v in leaf.items() if key.startswith(f"{name}.layer.")}
            outs[name] = torch.func.functional_call(layer, weights, (x,))[0]
            loss = loss + (outs[name] * leaf[f"{name}.y"][:, :steps]).sum()
        slope = torch.autograd.grad((outs["lstm"] ** 2).sum(), x, create_graph=True)[0]
        a = leaf["a"]
        root = a
        for i in range(steps):
            for k in range(i % 3):
                root = (root + a / root) / 2
        curve = torch.autograd.grad((root ** 3).sum(), a, create_graph=True)[0]
        save_file(gradients(leaf, loss + (slope ** 2).sum() + (curve ** 2).sum()), HERE / f"long-{steps}.safetensors")


def waves(steps, width, base=10000):
    """Angles of positions 0 … steps, a column for each pair of the width."""
    return torch.arange(steps).double()[:, None] * base ** (-2 * torch.arange(width // 2).double() / width)


def transformer():
    """For each (sequences, queries, keys) a file: the gradient of transformer.nn's loss."""
    torch.manual_seed(11)
    nn, rest = torch.nn, {"dropout": 0, "batch_first": True}
    first = {"activation": "gelu", "norm_first": True, **rest}
    layers = {"cross": nn.MultiheadAttention(6, 2, batch_first=True), "itself": nn.MultiheadAttention(6, 3, bias=False, batch_first=True),
              "post": nn.TransformerEncoderLayer(6, 2, 7, **rest),
              "encoder": nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 3, 7, **first), 2, nn.LayerNorm(6), enable_nested_tensor=False),
              "decoder": nn.TransformerDecoderLayer(6, 2, 7, **rest),
              "stack": nn.TransformerDecoder(nn.TransformerDecoderLayer(6, 2, 7, bias=False, **first), 2),
              "bilinear": nn.Bilinear(6, 6, 4), "instance": nn.InstanceNorm1d(5, affine=True)}
    t = {"bilinear_c": torch.randn(3, 5, 4)}
    for name in [*layers, "plain", "rotary", "pairs", "waves", "normal"]:
        t |= {f"{name}_ends.{end}": torch.randn(3, 5, 6) for end in "xc"}
        if name in ("cross", "decoder", "stack"):
            t[f"{name}_ends.m"] = torch.randn(3, 4, 6)
    for name, layer in layers.items():
        for p in layer.parameters():
            p.data = torch.randn_like(p) / 2  # biases and the layers of a stack too
        t |= {f"{name}.{key}": v for key, v in layer.named_parameters()}
        layer.double()
    leaf = leaves(t)
    save_file({name: v.detach() for name, v in leaf.items()}, HERE / "transformer-in.safetensors")

    def case(b, steps, keys):
        at = torch.arange(steps)
        no_key, no_query = torch.zeros(b, keys, dtype=bool), torch.zeros(b, steps, dtype=bool)
        no_key[1:2, 3:], no_query[1:2, 3:] = True, True
        far = ((at[:, None] - torch.arange(keys)).abs() > 1) & (torch.arange(keys) != 0)
        later = torch.triu(torch.ones(steps, steps, dtype=bool), 1)

        def part(name, end):
            return leaf[f"{name}_ends.{end}"][:b, :keys if end == "m" else steps]

        def run(name, *arguments, **options):
            weights = {key.removeprefix(f"{name}."): v for key, v in leaf.items() if key.startswith(f"{name}.")}
            return torch.func.functional_call(layers[name], weights, arguments, options)

        def turned(x, start, base, halves):
            angles = waves(steps + start, 6, base)[start:]
            a, c = (x[..., :3], x[..., 3:]) if halves else (x[..., 0::2], x[..., 1::2])
            y, z = a * angles.cos() - c * angles.sin(), a * angles.sin() + c * angles.cos()
            return torch.cat([y, z], -1) if halves else torch.stack([y, z], -1).flatten(-2)
        x, m, own = part("cross", "x"), part("cross", "m"), part("itself", "x")
        positions = torch.stack([waves(steps, 6).sin(), waves(steps, 6).cos()], -1).flatten(-2)
        results = {
            "cross": run("cross", x, m, m, key_padding_mask=no_key, attn_mask=far)[0], "itself": run("itself", own, own, own, attn_mask=later)[0],
            "post": run("post", part("post", "x"), src_key_padding_mask=no_query),
            "encoder": run("encoder", part("encoder", "x"), mask=later),
            "decoder": run("decoder", part("decoder", "x"), part("decoder", "m"), tgt_mask=later, memory_key_padding_mask=no_key),
            "stack": run("stack", part("stack", "x"), part("stack", "m"), tgt_mask=later),
            "rotary": turned(part("rotary", "x"), 2, 10000, True), "pairs": turned(part("pairs", "x"), 0, 100, False),
            "waves": part("waves", "x") * positions, "normal": F.normalize(part("normal", "x"), dim=-1)}
        loss = sum((y * part(name, "c")).sum() for name, y in results.items())
        loss = loss + (run("bilinear", part("bilinear", "x").contiguous(), part("bilinear", "c").contiguous()) * leaf["bilinear_c"][:b, :steps]).sum()
        loss = loss + (run("instance", leaf["instance_ends.x"][:b]) * leaf["instance_ends.c"][:b]).sum()
        loss = loss + (F.instance_norm(leaf["plain_ends.x"][:b]) * leaf["plain_ends.c"][:b]).sum()
        save_file(gradients(leaf, loss), HERE / f"transformer-{b}-{steps}-{keys}.safetensors")
    for sizes in TRANSFORMER:
        case(*sizes)


class Lion(torch.optim.Optimizer):
    """As in the paper's listing (Chen et al., 2023): PyTorch has none. Weight decay 0.1."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            m, lr = self.state[p].setdefault("m", torch.zeros_like(p)), self.param_groups[0]["lr"]
            direction = torch.sign(0.9 * m + 0.1 * p.grad)
            p -= lr * (direction + 0.1 * p)
            m.mul_(0.99).add_(0.01 * p.grad)


def optimizers():
    torch.manual_seed(2)
    start = torch.randn(5).double()
    save_file({"w": start}, HERE / "optimizers-in.safetensors")
    goal = torch.arange(5, dtype=torch.float64) / 4
    makers = {"sgd": lambda p: torch.optim.SGD(p, lr=0.05), "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
              "dampened": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, dampening=0.3, weight_decay=0.1),
              "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1),
              "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.02),
              "rmsprop_momentum": lambda p: torch.optim.RMSprop(p, lr=0.02, alpha=0.9, momentum=0.5, weight_decay=0.1),
              "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.3, lr_decay=0.1, weight_decay=0.1), "lion": lambda p: Lion(p, lr=0.03),
              "rmsprop_centered": lambda p: torch.optim.RMSprop(p, lr=0.02, centered=True),
              "amsgrad": lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.1, amsgrad=True),
              "adamw_amsgrad": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.05, betas=(0.9, 0.9), amsgrad=True),
              "adam": lambda p: torch.optim.Adam(p, lr=0.1), "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.05)}
    steps = {}
    for name, make in makers.items():
        w = start.clone().requires_grad_()
        optimizer = make([w])
        steps[name] = []
        for _ in range(20):
            optimizer.zero_grad()
            (((w - goal) ** 4).sum() / 4).backward()
            if name == "adamw":
                torch.nn.utils.clip_grad_norm_([w], 0.5)
            if name == "adamw_amsgrad":
                torch.nn.utils.clip_grad_value_([w], 0.2)
            optimizer.step()
            steps[name].append(w.tolist())
    for name, multiply in [("ema", torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)), ("average", None)]:
        averaged = torch.optim.swa_utils.AveragedModel(torch.nn.ParameterList([start.clone()]), multi_avg_fn=multiply)
        averaged.n_averaged += name == "ema"  # its first weights are the start, not the first step's
        steps[name] = []
        for w in steps["adam"]:
            averaged.update_parameters(torch.nn.ParameterList([torch.tensor(w, dtype=torch.float64)]))
            steps[name].append(averaged.module[0].tolist())
    idle = [torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3) for _ in range(5)]
    schedule = torch.optim.lr_scheduler
    schedules = [schedule.CosineAnnealingLR(idle[0], 20, 0.05), schedule.LinearLR(idle[1], 1, 1 / 3, 20), schedule.StepLR(idle[2], 6, 0.5),
                 schedule.ExponentialLR(idle[3], 0.9), schedule.OneCycleLR(idle[4], 0.3, 20, cycle_momentum=False)]
    steps["schedules"] = []
    for _ in range(20):
        steps["schedules"].append([s.get_last_lr()[0] for s in schedules])
        for optimizer, s in zip(idle, schedules):
            optimizer.step()
            s.step()
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


def spell(net, text, dtype, letters, window, batch, samples):
    """The losses of training `net` (embed, lstm, head) on windows of the text, three times over, without the first one."""
    width = net["head.weight"].shape[1]
    lstm = torch.nn.LSTM(width, width, batch_first=True).to(dtype)
    lstm.load_state_dict({name.removeprefix("lstm."): v for name, v in net.items() if name.startswith("lstm.")})
    rest = {name: v.to(dtype).clone().requires_grad_() for name, v in net.items() if not name.startswith("lstm.")}
    parameters = [*rest.values(), *lstm.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3)
    bytes_ = torch.tensor(list(text)) % letters
    windows = (list(range(len(text) - window)) * 3)[1:samples + 1]
    losses = []
    for first in range(0, len(windows), batch):
        snippet = torch.stack([bytes_[i:i + window + 1] for i in windows[first:first + batch]])
        h, _ = lstm(rest["embed.weight"][snippet[:, :-1]])
        loss = F.cross_entropy(F.linear(h, rest["head.weight"], rest["head.bias"]).flatten(0, 1), snippet[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def speller_weights(letters, width):
    torch.manual_seed(8)
    lstm, head = torch.nn.LSTM(width, width), torch.nn.Linear(width, letters)
    return {"embed.weight": torch.randn(letters, width), "head.weight": head.weight.data, "head.bias": head.bias.data,
            **{f"lstm.{name}": v.data for name, v in lstm.named_parameters()}}


def speller():
    text = b"the cat that sat on the mat that lay in the hall had had a hat, and the hat that the cat had had sat on the mat; so there. " * 2
    (HERE / "speller.txt").write_bytes(text)
    net = speller_weights(32, 16)
    save_file(net, HERE / "speller-in.safetensors")
    curves = {name: spell(net, text, dtype, 32, 12, 8, 405) for name, dtype in [("f32", torch.float32), ("f64", torch.float64)]}
    (HERE / "speller.json").write_text(json.dumps(curves, indent=0) + "\n")


def attention():
    torch.manual_seed(9)
    sizes = {"q": (2, 3, 5, 6), "k": (2, 3, 7, 6), "v": (2, 3, 7, 4), "c": (2, 3, 5, 4), "bias": (5, 7), "keep": (2, 5, 7)}
    t = {name: torch.randn(size) for name, size in sizes.items()}
    t["bias"][1, 2:4] = -torch.inf
    t["keep"][1, 3] = -1
    t = {name: v.double() for name, v in t.items()}
    save_file(t, HERE / "attention-in.safetensors")
    leaf = {name: v.clone().requires_grad_() for name, v in t.items()}
    attend, shapes = F.scaled_dot_product_attention, {"y": (2, 3, 5, 4)} | {f"d{name}": sizes[name] for name in ("q", "k", "v", "bias")}

    def record(name, f, letters=("q", "k", "v")):
        y = f(*(leaf[letter] for letter in letters))
        gradients = torch.autograd.grad((y * t["c"][:, :, :y.shape[2]]).sum(), [leaf[letter] for letter in letters])
        got = {"y": y.detach()} | {f"d{letter}": g for letter, g in zip(letters, gradients)}
        for key, shape in shapes.items():
            whole = torch.zeros(shape, dtype=torch.float64)
            if key in got:
                whole[tuple(slice(n) for n in got[key].shape)] = got[key]
            out[f"{name}.{key}"] = whole
    out = {}
    record("plain", attend)
    record("causal", lambda q, k, v: attend(q, k, v, is_causal=True, scale=0.7))
    record("masked", lambda q, k, v: attend(q, k, v, attn_mask=(t["keep"] > 0)[:, None]))
    record("biased", lambda q, k, v, bias: attend(q, k, v, attn_mask=bias), ("q", "k", "v", "bias"))
    record("long", lambda q, k: attend(k, q, t["c"], is_causal=True)[:, :, 2:], ("q", "k"))
    for queries, keys in ATTENDED:
        record("run", lambda q, k, v: attend(q[:, :, :queries], k[:, :, :keys], v[:, :, :keys], is_causal=True))
        save_file(out, HERE / f"attention-{queries}-{keys}.safetensors")


class Attention(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.qkv, self.out, self.heads = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width), heads

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        return self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class Block(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln1, self.attn, self.ln2 = torch.nn.LayerNorm(width), Attention(width, heads), torch.nn.LayerNorm(width)
        self.up, self.down = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class GPT(torch.nn.Module):
    def __init__(self, vocab, context, width, heads, depth):
        super().__init__()
        self.tokens, self.positions = torch.nn.Embedding(vocab, width), torch.nn.Embedding(context, width)
        self.blocks, self.ln = torch.nn.ModuleList(Block(width, heads) for _ in range(depth)), torch.nn.LayerNorm(width)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.ln(x) @ self.tokens.weight.T


def write(net, text, vocab, context, batch, samples, repeat):
    """The losses of training `net` on windows of the text in order, as gpt.nn's `train` does."""
    optimizer = torch.optim.AdamW(net.parameters(), betas=(0.9, 0.99), weight_decay=0.1)
    bytes_ = torch.tensor(list(text)) % vocab
    windows = (list(range(len(text) - context)) * repeat)[:samples]
    losses, total = [], (samples + batch - 1) // batch
    for step in range(total):
        for group in optimizer.param_groups:
            part = (step - 10) / (total - 10)
            group["lr"] = 1e-2 * ((step + 1) / 10 if step < 10 else (1 + math.cos(math.pi * part)) / 2)
        ids = torch.stack([bytes_[i:i + context + 1] for i in windows[step * batch:(step + 1) * batch]])
        loss = F.cross_entropy(net(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def gpt():
    torch.manual_seed(10)
    net = GPT(vocab=32, context=12, width=18, heads=3, depth=2)
    save_file(net.state_dict(), HERE / "gpt-in.safetensors")
    text = (HERE / "speller.txt").read_bytes()
    double, ids = copy.deepcopy(net).double(), torch.tensor(list(text)) % 32
    logits = {"logits": double(torch.stack([ids[:12], ids[1:13]])), "short": double(ids[None, 7:12])}
    save_file({name: v.detach() for name, v in logits.items()}, HERE / "gpt-out.safetensors")
    curves = {name: write(copy.deepcopy(net).to(dtype), text, 32, 12, 4, 203, 2) for name, dtype in DTYPES.items()}
    (HERE / "gpt.json").write_text(json.dumps(curves, indent=0) + "\n")


def convolution():
    """The cases are those of convolution.nn, in its order."""
    torch.manual_seed(9)
    d = torch.float64
    small = [torch.nn.Conv1d(6, 4, 3), torch.nn.Conv1d(6, 4, 4, 2, 1), torch.nn.Conv1d(6, 4, 3, 1, 2, 2, 2), torch.nn.Conv1d(6, 4, 2, 3, 0, 3),
             torch.nn.Conv1d(6, 4, 1, 2), torch.nn.Conv1d(6, 4, 11)]
    large = [torch.nn.Conv2d(6, 4, kernel, stride, padding, dilation, groups, bias=False)
             for kernel, stride, padding, dilation, groups in ((3, 1, 1, 1, 1), (3, 2, 1, 1, 1), (1, 1, 0, 1, 1), (1, 2, 0, 1, 1), (3, 1, 2, 2, 1), (2, 3, 0, 1, 2),
                                                               ((3, 2), (2, 1), (1, 3), (2, 1), 2), ((9, 8), 1, 0, 1, 1), (5, 1, 4, 1, 1))]
    small_transposed = [torch.nn.ConvTranspose1d(6, 4, 3), torch.nn.ConvTranspose1d(6, 4, 4, 2, 1, 1), torch.nn.ConvTranspose1d(6, 4, 3, 3, 2, 0, 2, dilation=2),
                        torch.nn.ConvTranspose1d(6, 4, 2, 1, 0, 1, dilation=3)]
    large_transposed = [torch.nn.ConvTranspose2d(6, 4, 3, 1, 1, bias=False), torch.nn.ConvTranspose2d(6, 4, 3, 2, 1, 1, 2, bias=False),
                        torch.nn.ConvTranspose2d(6, 4, (2, 4), (3, 2), bias=False)]
    layers = {f"{name}.{i}": layer for name, group in (("conv1", small), ("conv2", large), ("transpose1", small_transposed), ("transpose2", large_transposed))
              for i, layer in enumerate(group)}
    pools = {"max1": lambda x: F.max_pool2d(F.relu(x), 2), "max2": lambda x: F.max_pool2d(x, (3, 2), 2, 1),
             "max3": lambda x: F.max_pool2d(F.relu(x), (2, 3), 1, (0, 1), (2, 1)), "max4": lambda x: F.max_pool2d(x, 2, ceil_mode=True),
             "avg1": lambda x: F.avg_pool2d(x, 2), "avg2": lambda x: F.avg_pool2d(x, 3, 2, 1), "avg3": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
             "avg4": lambda x: F.avg_pool2d(x, 2, ceil_mode=True), "avg5": lambda x: F.avg_pool2d(x, 2, (1, 2), divisor_override=3),
             "adaptive_avg": lambda x: F.adaptive_avg_pool2d(x, (4, 3)), "adaptive_max": lambda x: F.adaptive_max_pool2d(F.relu(x), (4, 3)),
             "adaptive_large": lambda x: F.adaptive_avg_pool2d(x, (11, 8))}
    norms = {"one": torch.nn.BatchNorm1d(6), "two": torch.nn.BatchNorm2d(6)}
    for layer in (*layers.values(), *norms.values()):
        layer.double()
        for p in layer.parameters():
            p.data = torch.randn(p.shape).double()
    x1, x = torch.randn(3, 6, 11).double(), torch.randn(3, 6, 9, 8).double()

    def case(b):
        out = {"x1": x1, "x": x}

        def full(v, count=3):
            whole = torch.zeros(count, *v.shape[1:], dtype=d)
            whole[:len(v)] = v
            return whole.detach()

        def record(name, y, given):
            out[f"{name}.y"] = full(y)
            out[f"{name}.dx"] = full(torch.autograd.grad((y * y).sum() / 2, given, retain_graph=True)[0])

        for name, layer in layers.items():
            given = (x1 if "1." in name else x)[:b].clone().requires_grad_()
            y = layer(given)
            record(name, y, given)
            for key, p in layer.named_parameters():
                out[f"{name}.layer.{key}"] = p.data
                out[f"{name}.d{key}"] = torch.autograd.grad((y * y).sum() / 2, p, retain_graph=True)[0]
        given = x[:b].clone().requires_grad_()
        for name, pool in pools.items():
            record(name, pool(given), given)
        one, two = copy.deepcopy(norms["one"]), copy.deepcopy(norms["two"])
        out["norm.y1"] = full(one(x1[:b]))
        y = two(given)
        out["norm.y2"] = full(y)
        out["norm.dx"], out["norm.dweight"], out["norm.dbias"] = torch.autograd.grad((y * y * y).sum(), (given, two.weight, two.bias))
        out["norm.dx"] = full(out["norm.dx"])
        out["norm.later"] = full(two.eval()(x[:b]))
        for name, layer in ("one", one), ("two", two):
            for key, v in layer.state_dict().items():
                out[f"norm.{name}.{key}"] = v
        return {name: v.detach().contiguous() for name, v in out.items()}

    start = {name: torch.zeros_like(v) for name, v in case(3).items()}
    start.update({"x1": x1, "x": x})
    for name, layer in layers.items():
        start.update({f"{name}.layer.{key}": p.data for key, p in layer.named_parameters()})
    for name, layer in norms.items():
        start.update({f"norm.{name}.{key}": v for key, v in layer.state_dict().items()})
    save_file(start, HERE / "convolution-in.safetensors")
    for b in CONVOLVED:
        save_file(case(b), HERE / f"convolution-{b}.safetensors")


def main():
    if sys.argv[1:2] == ["speller"]:
        text, path = sys.argv[2:]
        net = speller_weights(256, 256)
        save_file(net, path)
        for dtype in (torch.float32, torch.float64):
            print(json.dumps(spell(net, pathlib.Path(text).read_bytes(), dtype, 256, 64, 32, 1600)))
        return
    if sys.argv[1:2] == ["mnist"]:
        images, labels, path = sys.argv[2:]
        net = weights(784, 128)
        save_file(net, path)
        for dtype in (torch.float32, torch.float64):
            print(json.dumps(train(net, read_idx(images), read_idx(labels), dtype, 1, 64, 3200)))
        return
    fixtures = {f.__name__: f for f in (layers, functions, recurrent, long, optimizers, mlp, speller, attention, gpt, transformer, convolution)}
    for name in sys.argv[1:] or fixtures:
        fixtures[name]()


main()
