"""Arena bytes that `plan` gives a command: what a gradient keeps, and what `remat` saves of it."""
import os
import re
import subprocess
import tempfile

# Two tensors a step are kept: its input, and the state on tape. Nothing is taped twice, nor what stays the same.
RECURRENT = """
import random
const T = 16
fn cell(h: float[16, 32], x: float[16, 32], w: float[64, 32]) -> float[16, 32] = tanh(concat([h, x], axis=1) @ w)
command main {
    var w = random.normal(64, 32) / 8
    let x = random.normal(T, 16, 32)
    for i in 0..3 {
        var h = zeros(16, 32)
        for t in 0..T { h = cell(h, x[t], w) }
        let loss = mean(h ** 2)
        w -= grad(loss, w)
        print("{loss}")
    }
}
"""

# The same in chunks of 16 steps: of the loop over chunks only the states between them are kept, and one chunk's steps are there at a time.
CHUNKS = RECURRENT.replace("for t in 0..T { h = cell(h, x[t], w) }", "for k in 0..T // 16 { for t in 0..16 { h = cell(h, x[16 * k + t], w) } }")

# Eight tensors a step: the input, the four gates, the state's two, and the gradient of what is given out. The gates lie where the input's part of them did, and
# their gradient where they did.
GATED = """
import nn
import random
const T = 16
model Net { lstm = nn.LSTM(32, 32) }
command main {
    var net = Net()
    let x = random.normal(16, T, 32)
    for i in 0..3 {
        let (y, _) = net.lstm(x, net.lstm.start(16))
        let loss = mean(y[:, -1] ** 2)
        let g = grad(loss, net)
        net.lstm.first.there.weight_hh -= g.lstm.first.there.weight_hh
        net.lstm.first.there.weight_ih -= g.lstm.first.there.weight_ih
        print("{loss}")
    }
}
"""

# Two tensors a step: the table that the loop fills, where its gradient lies later, and what is read of it in each step.
TABLE = """
const T = 16
command main {
    let w = sin(1.0)
    var a: float[T, 16, 32] = full(1.0)
    for t in 1..T { a[t] = sin(a[t - 1] * w) }
    let l = sum(a ** 2)
    print("{l} {grad(l, w)}")
}
"""

# What is computed from an old version is computed where it is needed, not before the new one is written, though that costs a copy.
VERSIONS = """
const N = 64
command main {
    let x = sin(float(range(N * N))).reshape(N, N)
    var a = sin(float(range(16)))
    let old = a
    a[3] = 5.0
    var s = sum(a * a)
    for k in [0, 1, 2, 3, 4, 5, 6, 7] {
        let b = sin(x * old[k])
        s += max(b @ b)
    }
    print("{s:.3f}")
}
"""

DEEP = """
import nn
import optim
import random
const again = false
const depth = 8
const momentum = 0.0
model Block {
    up = nn.Linear(16, 64)
    down = nn.Linear(64, 16)
    fn forward(x: float[B, 16]) -> float[B, 16] = x + down(nn.gelu(up(x)))
}
model Net {
    blocks = [Block() for i in 0..depth]
    fn forward(x: float[B, 16]) -> float[B, 16] {
        var h = x
        for b in blocks { if again { h = remat(b)(h) } else { h = b(h) } }
        return h
    }
}
command main {
    var net = Net()
    var opt = optim.SGD(net, lr=0.1, momentum=momentum)
    let x = random.normal(512, 16)
    for i in 0..3 {
        let loss = mean(net(x) ** 2)
        opt.step(net, grad(loss, net))
        print("{loss:.9f}")
    }
}
"""

ATTENTION = """
import nn
import optim
import random
model Net {
    first = nn.MultiheadAttention(32, 4)
    second = nn.MultiheadAttention(32, 4)
    fn forward(x: float[B, T, 32]) -> float[B, T, 32] = second(first(x, causal=true), causal=true)
}
command main {
    var net = Net()
    var opt = optim.SGD(net, lr=0.1)
    let x = random.normal(4, 256, 32)
    for i in 0..3 {
        let loss = mean(net(x) ** 2)
        opt.step(net, grad(loss, net))
        print("{loss:.9f}")
    }
}
"""

# A buffer of which each step writes a row, and reads some for a loss.
BUFFER = """
import nn
import optim
import random
const N = 10000
command main {
    var net = nn.Linear(4, 1)
    var opt = optim.SGD(net, lr=0.1)
    var buffer: float[N, 4] = zeros()
    for i in 0..3 {
        if i != 1 { buffer[i] = random.normal(4) }
        let loss = mean(net(buffer[random.integers(8, high=i + 1)]) ** 2)
        opt.step(net, grad(loss, net))
        print("{loss}")
    }
}
"""

# Elements that change places, also under a condition and in a loop that reads them.
SWAPS = """
const N = 10000
command main {
    var a = sin(float(range(N)))
    var b = cos(float(range(N)))
    for i in 0..20 {
        (a[i], b[2 * i]) = (b[2 * i], a[i])
        let t = a[i]
        a[i] = a[i + 1]
        a[i + 1] = t
        if a[i] > a[i + 2] { (a[i], a[i + 2]) = (a[i + 2], a[i]) }
        var j = i
        while j > 0 and a[j - 1] > a[j] {
            (a[j - 1], a[j]) = (a[j], a[j - 1])
            j -= 1
        }
    }
    print("{sum(a * float(range(N))):.4f} {sum(b)} {a[3]}")
}
"""

# Two elements are read in each step: their gradients are added where the whole one lies.
READS = """
const N = 10000
command main {
    let a = sin(float(range(N)))
    var t = 0.0
    for i in 0..20 { for k in 0..3 { t += a[2 * i] * a[i + k] } }
    let g = grad(t, a)
    print("{t:.4f} {sum(g * float(range(N))):.3f}")
}
"""

# A text that grows, and two that each pass drops.
TEXTS = """
command main(n: int) {
    var s = ""
    var equal = 0
    for i in 0..n {
        s += "x"
        if "{i % 10}" == "{i % 7}" { equal += 1 }
    }
    print("{len(bytes(s))} {equal}")
}
"""


def tests(build, tools):
    def measure(text, *defines):
        """The bytes of all arenas, and what the program prints."""
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, "memory.nn")
            with open(path, "w") as file:
                file.write(text)
            options = [word for define in defines for word in ("-D", define)]
            got, out, err = tools.run([tools.nnc(build), "run", "--print-after=plan", *options, path])
            if got != 0:
                raise tools.Failure(f"exit status {got}:\n{out}{err[-2000:]}")
            sizes = re.findall(r" frame frame=\d+ dim=(\d+)\n", err)
            return sum(int(size) for size in sizes), out

    def grows(text, tensors):
        sizes = [measure(text, f"T={steps}")[0] for steps in (16, 32, 64)]
        step = tensors * 16 * 32 * 4
        if [sizes[1] - sizes[0], sizes[2] - sizes[1]] != [16 * step, 32 * step]:
            raise tools.Failure(f"not {step} bytes a step: {sizes} for 16, 32 and 64 steps")
    yield f"memory/loops {build}", lambda: grows(RECURRENT, 2)
    yield f"memory/tables {build}", lambda: grows(TABLE, 2)
    yield f"memory/recurrent-layers {build}", lambda: grows(GATED, 8)

    def versions():
        planes = measure(VERSIONS)[0] / (64 * 64 * 4)
        if planes > 4.1:
            raise tools.Failure(f"{planes} planes")
    yield f"memory/versions {build}", versions

    def buffer():
        size = 10000 * 4 * 4
        taken = measure(BUFFER)[0]
        if taken > 1.2 * size:
            raise tools.Failure(f"{taken} bytes for a buffer of {size}")
    yield f"memory/buffer {build}", buffer

    def swaps():
        taken = measure(SWAPS)[0]
        if taken > 2.2 * 10000 * 4:
            raise tools.Failure(f"{taken} bytes for twice 10000 numbers that change places")
    yield f"memory/swaps {build}", swaps

    def reads():
        taken = measure(READS)[0]
        if taken > 3.2 * 10000 * 4:
            raise tools.Failure(f"{taken} bytes for 10000 numbers, their gradient and an inner loop's part of it")
    yield f"memory/reads {build}", reads

    def texts():
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, "texts")
            with open(path + ".nn", "w") as file:
                file.write(TEXTS)
            got, _, err = tools.run([tools.nnc(build), "build", path + ".nn", "-o", path])
            if got != 0:
                raise tools.Failure(err)
            with subprocess.Popen([path, "--n=20000"], stdout=subprocess.DEVNULL) as run:
                _, run.returncode, usage = os.wait4(run.pid, 0)
            if run.returncode != 0 or usage.ru_maxrss > 100000:  # KiB, this process's own before it ran; all texts would take 200 MB
                raise tools.Failure(f"exit status {run.returncode}, {usage.ru_maxrss} KiB")
    if build == "release":  # a sanitizer keeps what is freed
        yield f"memory/texts {build}", texts

    def chunks():
        (short, _), (long, made), (_, expected) = measure(CHUNKS, "T=64"), measure(CHUNKS, "T=256"), measure(RECURRENT, "T=256")
        if [f"{float(x):.6f}" for x in made.split()] != [f"{float(x):.6f}" for x in expected.split()]:
            raise tools.Failure(f"chunks change what is computed:\n{expected}{made}")
        step = 16 * 32 * 4  # each with its input; a chunk more with a state
        if long - short != 192 * step + 12 * step:
            raise tools.Failure(f"{long - short} bytes more for 192 steps more")
    yield f"memory/chunks {build}", chunks

    def layers():
        hidden, sums = 512 * 64 * 4, 512 * 16 * 4
        each = (measure(DEEP, "depth=12")[0] - measure(DEEP, "depth=4")[0]) / 8
        if each > 2 * hidden + sums + 20000:  # the argument of the gelu and its result, the sum; weights and their gradients
            raise tools.Failure(f"{each} bytes a layer")
    yield f"memory/layers {build}", layers

    def momentum():
        parameters = 8 * (16 * 64 + 64 + 64 * 16 + 16) * 4
        more = measure(DEEP, "momentum=0.9")[0] - measure(DEEP)[0]
        if more < parameters:
            raise tools.Failure(f"{more} bytes more with momentum; of {parameters} each has one")
    yield f"memory/momentum {build}", momentum

    def attention():
        scores, kept = 4 * 4 * 256 * 256 * 4, measure(ATTENTION)[0]
        if kept >= scores:
            raise tools.Failure(f"{kept} bytes, and scores would be {scores}")
    yield f"memory/attention {build}", attention

    def remat():
        kept, expected = measure(DEEP)
        made, printed = measure(DEEP, "again=true")
        if printed != expected:
            raise tools.Failure(f"remat changes what is computed:\n{expected}{printed}")
        if made * 2 > kept:
            raise tools.Failure(f"{made} bytes with remat, {kept} without")
    yield f"memory/remat {build}", remat
