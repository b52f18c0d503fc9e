#!/usr/bin/env python3
"""Random networks of the library's layers, trained for two steps: the executable against the interpreter.

    tests/fuzz_nets.py FIRST COUNT [--nnc PATH] [--keep DIR]

Where `fuzz_native` composes operations at random, this composes what people compose: convolutions with
strides, groups and dilation, norms, residual sums, concatenations (even seeds); attention, recurrent layers and
what goes along a sequence (odd ones). A program that
isn't compiled, or whose losses or norms of gradients differ, is kept in DIR and named. Not a part of the
tests: a network takes a second or two.
"""
import argparse
import os
import random
import re
import subprocess
import sys

# Relative, and of how many of the numbers printed. The interpreter computes in f64. At f32 only what comes before
# the first step is compared: a bias in front of a norm has no gradient but rounding, which some optimizers blow up.
COMPARED = {"f64": (1e-6, None), "f32": (2e-3, 2)}

BLOCKS = """
model Squeeze(c: int) {
    down = nn.Linear(c, 2)
    up = nn.Linear(2, c)
    fn forward(x: float[B, c, H, W]) -> float[B, c, H, W] =
        x * sigmoid(up(nn.relu(down(mean(x, axis=(2, 3)))))).reshape(B, c, 1, 1)
}
model Tokens(c: int, heads: int) {
    norm = nn.LayerNorm(c)
    attn = nn.MultiheadAttention(c, heads)
    fn forward(x: float[B, c, H, W]) -> float[B, c, H, W] {
        let t = x.reshape(B, c, H * W).permute(0, 2, 1)
        return (t + attn(norm(t))).permute(0, 2, 1).reshape(B, c, H, W)
    }
}
model Rows(c: int) {
    rnn = nn.GRU(c, c)
    fn forward(x: float[B, c, H, W]) -> float[B, c, H, W] {
        let (h, _) = rnn(x.permute(0, 2, 3, 1).reshape(B * H, W, c))
        return h.reshape(B, H, W, c).permute(0, 3, 1, 2)
    }
}
model Mixed(c: int) {
    norm = nn.LayerNorm(c)
    up = nn.Linear(c, 2 * c)
    down = nn.Linear(2 * c, c)
    fn forward(x: float[B, c, H, W]) -> float[B, c, H, W] =
        x + down(nn.gelu(up(norm(x.permute(0, 2, 3, 1))))).permute(0, 3, 1, 2)
}
"""


class Net:
    """One network: fields, and lines that take `x`, with `channels` x `height` x `width`, from layer to layer."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.fields, self.lines = [], []
        self.channels, self.height, self.width = self.rng.choice([1, 2, 3, 4, 6, 8]), self.rng.randint(5, 14), self.rng.randint(5, 14)
        self.start = (self.channels, self.height, self.width)
        self.now = "x0"

    def field(self, layer):
        name = f"f{len(self.fields)}"
        self.fields.append(f"    {name} = {layer}")
        return name

    def let(self, expression):
        name = f"x{len(self.lines) + 1}"
        self.lines.append(f"        let {name} = {expression}")
        self.now = name

    def conv(self, source, channels, outputs, same=False):
        """A field that is a convolution, and the sizes that it leaves."""
        r = self.rng
        kernel = r.choice([1, 2, 3, 3, 3, 5]) if not same else r.choice([1, 3, 3, 5])
        dilation = r.choice([1, 1, 1, 2])
        reach = dilation * (kernel - 1)
        padding = reach // 2 if same else r.choice([0, reach // 2, reach // 2, min(reach, 2)])
        stride = 1 if same else r.choice([1, 1, 1, 2, 3])
        groups = r.choice([g for g in (1, 1, 2, 3, 4, channels) if channels % g == 0 and outputs % g == 0])
        size = [(n + 2 * padding - reach - 1) // stride + 1 for n in (self.height, self.width)]
        if min(size) < 1:
            return None, None
        bias = r.choice(["true", "false"])
        layer = (f"nn.Conv2d({channels}, {outputs}, {kernel}, stride={stride}, padding={padding}, dilation={dilation}, "
                 f"groups={groups}, bias={bias})")
        return f"{self.field(layer)}({source})", size

    def norm(self, source, channels):
        kind = self.rng.choice(["BatchNorm2d", "BatchNorm2d", "GroupNorm", "InstanceNorm", ""])
        if not kind:
            return source
        groups = self.rng.choice([g for g in (1, 2, channels) if channels % g == 0])
        layer = f"nn.GroupNorm({groups}, {channels})" if kind == "GroupNorm" else f"nn.{kind}({channels})"
        return f"{self.field(layer)}({source})"

    def activation(self, source):
        name = self.rng.choice(["nn.relu", "nn.silu", "nn.gelu", "tanh", "nn.leaky_relu", "nn.hardswish", ""])
        return f"{name}({source})" if name else source

    def outputs(self):
        return self.rng.choice([self.channels, self.channels, 2 * self.channels, 3, 4, 6, 8])

    def convolution(self):
        outputs = self.outputs()
        made, size = self.conv(self.now, self.channels, outputs)
        if made:
            self.let(self.activation(self.norm(made, outputs)))
            self.channels, (self.height, self.width) = outputs, size

    def residual(self):
        made = self.now
        for _ in range(self.rng.randint(1, 3)):
            made = self.activation(self.norm(self.conv(made, self.channels, self.channels, same=True)[0], self.channels))
        self.let(f"{self.now} + {made}" if self.rng.random() < 0.7 else self.activation(f"{self.now} + {made}"))

    def branches(self):
        parts, total = [self.now] if self.rng.random() < 0.5 else [], 0
        total = self.channels if parts else 0
        for _ in range(self.rng.randint(1, 3)):
            outputs = self.rng.choice([2, 3, 4])
            parts.append(self.activation(self.norm(self.conv(self.now, self.channels, outputs, same=True)[0], outputs)))
            total += outputs
        self.let(f"concat([{', '.join(parts)}], axis=1)")
        self.channels = total

    def pool(self):
        kernel = self.rng.choice([2, 3])
        stride = self.rng.choice([1, 2])
        padding = self.rng.choice([0, 1])
        size = [(n + 2 * padding - kernel) // stride + 1 for n in (self.height, self.width)]
        if min(size) < 1:
            return
        kind = self.rng.choice(["MaxPool2d", "AvgPool2d"])
        self.let(f"{self.field(f'nn.{kind}({kernel}, stride={stride}, padding={padding})')}({self.now})")
        self.height, self.width = size

    def transposed(self):
        kernel, stride = self.rng.choice([(2, 2), (3, 2), (3, 1), (4, 2)])
        size = [(n - 1) * stride + kernel for n in (self.height, self.width)]
        if max(size) > 24:
            return
        outputs = self.outputs()
        made = f"{self.field(f'nn.ConvTranspose2d({self.channels}, {outputs}, {kernel}, stride={stride})')}({self.now})"
        self.let(self.activation(self.norm(made, outputs)))
        self.channels, (self.height, self.width) = outputs, size

    def shuffle(self):
        groups = self.rng.choice([g for g in (1, 2, 3, 4) if self.channels % g == 0])
        c = self.channels
        self.let(f"{self.now}.reshape(B, {groups}, {c // groups}, {self.height}, {self.width}).permute(0, 2, 1, 3, 4)"
                 f".reshape(B, {c}, {self.height}, {self.width})")

    def block(self):
        heads = self.rng.choice([h for h in (1, 2, 4) if self.channels % h == 0])
        layer = self.rng.choice([f"Squeeze({self.channels})", f"Tokens({self.channels}, {heads})", f"Rows({self.channels})",
                                 f"Mixed({self.channels})", f"nn.Dropout(0.3)"])
        self.let(f"{self.field(layer)}({self.now})")

    def source(self):
        steps = [self.convolution] * 4 + [self.residual, self.residual, self.branches, self.pool, self.transposed, self.shuffle, self.block, self.block]
        for _ in range(self.rng.randint(2, 7)):
            self.rng.choice(steps)()
        c, h, w = self.start
        batch = self.rng.choice([1, 2, 3, 5])
        head = self.field(f"nn.Linear({self.channels}, 3)")
        optimizer = self.rng.choice(["SGD(net, lr=0.05, momentum=0.9)", "AdamW(net, lr=1e-3)", "RMSprop(net, lr=1e-3)"])
        count, sizes = ("batch", "batch: int = %d" % batch) if self.rng.random() < 0.3 else (str(batch), "")
        clip = self.rng.choice(["g", "optim.clip_norm(g, 1.0)"])
        fields, lines = "\n".join(self.fields), "\n".join(self.lines)
        return f"""import nn
import optim
import random
{BLOCKS}
model Net {{
{fields}

    fn forward(x0: float[B, {c}, {h}, {w}]) -> float[B, 3] {{
{lines}
        return {head}(mean({self.now}, axis=(2, 3)))
    }}
}}

command main({sizes}) {{
    var net = Net()
    var opt = optim.{optimizer}
    let x = random.uniform({count}, {c}, {h}, {w}) - 0.5
    let labels = range({count}) % 3
    for step in 0..2 {{
        training {{
            let loss = nn.cross_entropy(net(x), labels)
            let g = grad(loss, net)
            print("{{loss:.9e}} {{sqrt(sum(g * g)):.9e}}")
            opt.step(net, {clip})
        }}
    }}
    print("{{sum(net(x)):.9e}}")
}}
"""


class Sequence(Net):
    """`x` is float[B, T, width], with sizes that may be known at run time only."""

    def __init__(self, seed):
        super().__init__(seed)
        self.channels = self.rng.choice([2, 4, 6, 8])
        self.start = self.channels
        self.now = "x0"

    def rows(self, layer, source):
        return f"{self.field(layer)}({source})"

    def linear(self):
        outputs = self.rng.choice([2, 4, 6, 8, 12])
        self.let(self.activation(self.rows(f"nn.Linear({self.channels}, {outputs})", self.now)))
        self.channels = outputs

    def recurrent(self):
        hidden, both = self.rng.choice([2, 3, 4, 5]), self.rng.choice(["true", "false"])
        kind, layers = self.rng.choice(["LSTM", "GRU", "RNN"]), self.rng.choice([1, 1, 2])
        layer = self.rows(f"nn.{kind}({self.channels}, {hidden}, layers={layers}, bidirectional={both})", self.now)
        name = f"h{len(self.lines)}"
        self.lines.append(f"        let ({name}, _) = {layer}")
        self.now, self.channels = name, hidden * (2 if both == "true" else 1)

    def transformer(self):
        heads = self.rng.choice([h for h in (1, 2) if self.channels % h == 0])
        first, causal = self.rng.choice(["true", "false"]), self.rng.choice(["true", "false"])
        layer = f"nn.TransformerEncoderLayer({self.channels}, {heads}, feedforward=10, dropout=0.1, norm_first={first})"
        self.let(f"{self.field(layer)}({self.now}, causal={causal})")

    def attention(self):
        c = self.channels
        q, k, v = (self.rows(f"nn.Linear({c}, {c}, bias=false)", self.now) for _ in range(3))
        turn = self.rng.choice(["nn.rotary({})", "{}"]) if c % 2 == 0 else "{}"
        causal = self.rng.choice(["true", "false"])
        self.let(f"{self.now} + nn.attention({turn.format(q)}, {turn.format(k)}, {v}, causal={causal})")

    def convolution(self):
        kernel, dilation, outputs = self.rng.choice([1, 2, 3]), self.rng.choice([1, 2]), self.rng.choice([2, 3, 4, 8])
        layer = self.field(f"nn.Conv1d({self.channels}, {outputs}, {kernel}, dilation={dilation})")
        self.let(self.activation(f"{layer}(pad({self.now}.permute(0, 2, 1), 2, {dilation * (kernel - 1)}, 0)).permute(0, 2, 1)"))
        self.channels = outputs

    def along(self):
        self.let(self.rng.choice([
            "cumsum({0}, 1) / {1}", "{0} + roll({0}, 1, 1)", "flip({0}, 1)", "{0} - mean({0}, axis=1, keepdims=true)", "cummax({0}, 1)",
            "linear_recurrence(sigmoid({0}), {0}, 1)", "{0} * nn.softmax({0}, axis=1)", "concat([{0}[:, :1], {0}[:, :-1]], axis=1)",
            "einsum('btc,bsc->bts', {0}, {0}) @ {0} * 0.1".replace("'", '"'), "sort({0}, axis=1)[0]"]).format(self.now, "3.0"))

    def norm_layer(self):
        kind = self.rng.choice(["LayerNorm", "RMSNorm"])
        self.let(self.rows(f"nn.{kind}({self.channels})", self.now))

    def mlp(self):
        c = self.channels
        up, down = self.field(f"nn.Linear({c}, {3 * c})"), self.field(f"nn.Linear({3 * c}, {c})")
        self.let(f"{self.now} + {down}({self.activation(f'{up}({self.now})')})")

    def source(self):
        steps = [self.linear, self.recurrent, self.recurrent, self.transformer, self.attention, self.convolution, self.along, self.along,
                 self.norm_layer, self.mlp]
        for _ in range(self.rng.randint(2, 6)):
            self.rng.choice(steps)()
        head = self.field(f"nn.Linear({self.channels}, 5)")
        batch, length = self.rng.choice([1, 2, 3]), self.rng.choice([1, 2, 5, 9, 17])
        given = self.rng.random() < 0.5
        sizes = f"B: int = {batch}, T: int = {length}" if given else ""
        shape = "B, T" if given else f"{batch}, {length}"
        fields, lines = "\n".join(self.fields), "\n".join(self.lines)
        return f"""import nn
import init
import optim
import random

model Net {{
    param table: float[5, {self.start}] = init.uniform(low=-1)
{fields}

    fn forward(ids: int[B, T]) -> float[B, T, 5] {{
        let x0 = table[ids]
{lines}
        return {head}({self.now})
    }}
}}

command main({sizes}) {{
    var net = Net()
    var opt = optim.SGD(net, lr=0.05, momentum=0.9)
    let ids = int(random.uniform({shape}) * 5)
    for step in 0..2 {{
        training {{
            let loss = nn.cross_entropy(net(ids), (ids + 1) % 5)
            let g = grad(loss, net)
            print("{{loss:.9e}} {{sqrt(sum(g * g)):.9e}}")
            opt.step(net, optim.clip_norm(g, 1.0))
        }}
    }}
    print("{{sum(net(ids)):.9e}}")
}}
"""


def run(nnc, path, *options):
    try:
        done = subprocess.run([nnc, "run", path, *options], capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return None, "no end within 300 s"
    if done.returncode:
        return None, done.stderr
    return [float(x) for x in re.findall(r"\S+", done.stdout)], ""


def differ(a, b, tolerance, count):
    a, b = a[:count], b[:count]
    scale = max(1e-3, *(abs(x) for x in b))
    return len(a) != len(b) or any(not abs(x - y) <= tolerance * scale for x, y in zip(a, b))


def check(nnc, path, compared, *options):
    """What is wrong with a program; nothing: it says the same as the interpreter."""
    wanted, error = run(nnc, path, "--interpret", "--float=f64")
    if wanted is None:
        return f"interpreted: {error}"
    for dtype in compared:
        got, error = run(nnc, path, f"--float={dtype}", *options)
        if got is None:
            return f"{dtype}: {error}"
        if differ(got, wanted, *compared[dtype]):
            return f"{dtype}: {got} instead of {wanted}"
    return ""


def main(doc, source_of, compared, *options):
    """The command line of `doc`: programs by their seeds, built with `options`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--nnc", default=os.path.join(root, "build", "bin", "nnc"))
    parser.add_argument("--keep", default=".")
    args = parser.parse_args()
    os.makedirs(args.keep, exist_ok=True)
    failed = 0
    for seed in range(args.first, args.first + args.count):
        path = os.path.join(args.keep, f"random{seed}.nn")
        with open(path, "w") as file:
            file.write(source_of(seed))
        problem = check(args.nnc, path, compared, *options)
        if problem:
            failed += 1
            print(f"{path}: {problem}", flush=True)
        else:
            os.remove(path)
        if (seed - args.first) % 10 == 9:
            print(f"{seed - args.first + 1} programs, {failed} failed", flush=True)
    print(f"{args.count} programs, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(__doc__, lambda seed: (Sequence if seed % 2 else Net)(seed).source(), COMPARED))
