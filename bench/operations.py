"""Operations of the language that are neither products nor convolutions, each alone, beside PyTorch's on one thread. What they give is added up, so that all of it is computed; an element of
their operand changes from step to step, so that nothing is kept."""
import os
import statistics
import time

from contestant import Contestant, Failure

TURN = 0.3  # seconds
STEPS = 5  # between two reports

SQUARE, LINE, SHORT, PICTURES = (1000, 1000), (1_000_000,), (100_000, 10), (8, 32, 56, 56)
# shape of x, in .nn, in PyTorch; `ids` are random integers below 1000 of the square's shape
OPERATIONS = (
    (SQUARE, "exp(x)", "x.exp()"), (SQUARE, "log(abs(x) + 1)", "(x.abs() + 1).log()"), (SQUARE, "tanh(x)", "x.tanh()"), (SQUARE, "sigmoid(x)", "x.sigmoid()"),
    (SQUARE, "nn.gelu(x)", "F.gelu(x)"), (SQUARE, "nn.silu(x)", "F.silu(x)"), (SQUARE, "sin(x)", "x.sin()"), (SQUARE, "abs(x) ** 1.7", "x.abs() ** 1.7"),
    (SQUARE, "x ** 3", "x ** 3"), (SQUARE, "abs(x) ** 0.5", "x.abs() ** 0.5"),
    (SQUARE, "float(i32(x * 100))", "(x * 100).int().float()"), (SQUARE, "float(int(x * 100) % 7)", "((x * 100).long() % 7).float()"),
    (SQUARE, "where(x > 0, x, exp(x))", "torch.where(x > 0, x, x.exp())"),
    (SQUARE, "sum(x, axis=0)", "x.sum(0)"), (SQUARE, "sum(x, axis=1)", "x.sum(1)"), (SQUARE, "variance(x, axis=1)", "x.var(1)"), (SQUARE, "max(x, axis=0)", "x.amax(0)"),
    (SQUARE, "float(argmax(x, axis=1))", "x.argmax(1).float()"), (SQUARE, "logsumexp(x, axis=1)", "x.logsumexp(1)"),
    (SQUARE, "nn.softmax(x)", "x.softmax(1)"), (SQUARE, "nn.softmax(x, 0)", "x.softmax(0)"), (SHORT, "nn.softmax(x)", "x.softmax(1)"), (SHORT, "logsumexp(x, axis=1)", "x.logsumexp(1)"),
    (SQUARE, "cumsum(x, 0)", "x.cumsum(0)"), (SQUARE, "cumsum(x, 1)", "x.cumsum(1)"), (SQUARE, "cummax(x, 1)", "x.cummax(1)[0]"), (LINE, "cumsum(x, 0)", "x.cumsum(0)"),
    (SQUARE, "sort(x)[0]", "x.sort(1)[0]"), (LINE, "sort(x)[0]", "x.sort()[0]"), (SHORT, "sort(x)[0]", "x.sort(1)[0]"), (SQUARE, "topk(x, 10)[0]", "x.topk(10)[0]"),
    (SQUARE, "take_along_axis(x, ids, 1)", "x.gather(1, ids)"), (SQUARE, "scatter_add(x, ids, x, 1)", "x.scatter_add(1, ids, x)"),
    (SQUARE, "x[ids[0]]", "x[ids[0]]"), (SQUARE, "x[:, ids[0]]", "x[:, ids[0]]"),
    (SQUARE, "scatter_add(x, ids[0].unsqueeze(1).broadcast(1000, 1000), x, 0)", "x.index_add(0, ids[0], x)"),
    (SQUARE, "x.T * x", "x.T * x"), (SQUARE, "flip(x, 1) * x", "x.flip(1) * x"), (SQUARE, "concat((x, 2 * x), axis=1)", "torch.cat((x, 2 * x), 1)"),
    (SQUARE, "concat((x, 2 * x))", "torch.cat((x, 2 * x))"),
    (PICTURES, "nn.max_pool2d(x, 3, stride=2, padding=1)", "F.max_pool2d(x, 3, 2, 1)"), (PICTURES, "nn.avg_pool2d(x, 2)", "F.avg_pool2d(x, 2)"),
    (PICTURES, "nn.adaptive_avg_pool2d(x, 7)", "F.adaptive_avg_pool2d(x, 7)"), (PICTURES, "nn.softmax(x, 1)", "x.softmax(1)"),
    (PICTURES, "repeat_interleave(repeat_interleave(x, 2, 2), 2, 3)", "F.interpolate(x, scale_factor=2)"),
    (SQUARE, "random.uniform((1000, 1000))", "torch.rand(1000, 1000)"), (SQUARE, "random.normal((1000, 1000))", "torch.randn(1000, 1000)"),
)

PROGRAM = """import nn
import random

command run(every: int) {{
    var x = random.normal({shape})
    let ids = random.integers((1000, 1000), high=1000)
    var step = 0
    while true {{
        x[{first}] = float(step % 7)
        let total = sum({expression})
        step += 1
        if step % every == 0 {{ report(total) }} else {{ check(not isnan(total), "NaN") }}
    }}
}}
"""


def ours(shape, expression, folder, compile):
    """A process that computes the operation again and again."""
    text = PROGRAM.format(shape=f"({', '.join(map(str, shape))})", first=", ".join("0" for _ in shape), expression=expression)
    (folder / "operation.nn").write_text(text)
    program = compile(folder / "operation.nn", folder / "operation")
    return Contestant([program, f"--every={STEPS}", "--threads=1", "--metrics=/dev/stdout"], STEPS, folder / "operation.log", 1)


def theirs(shape, expression):
    """A function that does it once."""
    import torch
    import torch.nn.functional as F
    names = {"torch": torch, "F": F, "x": torch.randn(shape), "ids": torch.randint(0, 1000, SQUARE)}
    return eval(f"lambda: ({expression}).sum().item()", names)


def turn(step):
    """Seconds that a step of PyTorch takes."""
    times = []
    end = time.perf_counter() + TURN
    while not times or time.perf_counter() < end:
        since = time.perf_counter()
        step()
        times.append(time.perf_counter() - since)
    return statistics.median(times)


def table(folder, compile, rounds):
    """The operations as Markdown; `compile(source, program)` compiles one."""
    import torch
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    lines = ["| operation | x | nnc, µs | PyTorch |", "| --- | --- | --- | --- |"]
    ratios = []
    for shape, expression, peer in OPERATIONS:
        try:
            side = ours(shape, expression, folder, compile)
        except Failure as failure:
            lines.append(f"| `{expression}` | {failure} | | |")
            continue
        try:
            step = theirs(shape, peer)
            step()
            pairs = [(side.turn(TURN), turn(step)) for _ in range(rounds)]
        finally:
            side.close()
        mine, other = (statistics.median(times) for times in zip(*pairs))
        ratios.append(other / mine)
        lines.append(f"| `{expression}` | {' x '.join(map(str, shape))} | {mine * 1e6:.0f} | {ratios[-1]:.2f} |")
        print(lines[-1], flush=True)
    return "\n".join([*lines, f"| geometric mean | | | {statistics.geometric_mean(ratios):.2f} |", ""])
