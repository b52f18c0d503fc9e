"""Checkpoints: a run that goes on from any of its files ends as the undisturbed one did, byte for byte; files that are
damaged are skipped, those of something else refused; signals, a full disk.

    tests/checkpoints.py kill PROGRAM.nn [--kills 50] [--seed 1] [--save OUT] [-- ARGUMENTS]

kills training at random moments and resumes it each time, until it is done; its files must then be those of a run that
was left alone."""
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

# What each needs to go on: name → (program, arguments). Each saves at each of its checkpoints and keeps all files.
PROGRAMS = {
    # weights, optimizer, random numbers, a step count; a schedule that depends on it
    "optimizer": """
import nn
import optim
import random
model Net {
    up = nn.Linear(4, 8)
    down = nn.Linear(8, 1)
    fn forward(x: float[B, 4]) -> float[B, 1] = x |> up |> tanh |> down
}
command train(steps: int = 7) {
    var net = Net()
    var opt = optim.Adam(net, lr=0.01)
    for step in 0..steps {
        let x = random.normal(5, 4)
        let loss = mean((net(x) - sum(x, axis=1, keepdims=true)) ** 2)
        opt.step(net, grad(loss, net), lr=optim.cosine(step, peak=0.1, warmup=2, total=steps))
        report(loss)
        print("{step} {loss}")
        checkpoint("c", keep=100)
    }
    save(net, "out")
}
""",
    # two views of one file, a short last batch, epochs, an evaluation behind the inner loop
    "data": """
import data
import nn
import optim
command train(epochs: int = 2, batch: int = 3) {
    let all: dataset(u8) = data.bytes("text")
    let few = all.windows(4).take(11)
    var net = nn.Linear(3, 2)
    var opt = optim.SGD(net, lr=0.01, momentum=0.9)
    for epoch in 0..epochs {
        for window in few.shuffle().batch(4) {
            let x = float(window[:, :-1]) / 255.0
            let loss = mean((net(x) - 1.0) ** 2)
            opt.step(net, grad(loss, net))
            report(loss)
            checkpoint("c", keep=100)
        }
        var total = 0
        for letter in all.sample(9).batch(batch) {
            total += sum(int(letter))
            checkpoint("c", keep=100)
        }
        for letter in all.repeat(2).batch(40) { total += max(int(letter)) }
        print("{epoch} {total} {few.len}")
    }
    save(net, "out")
}
""",
    # nested loops, branches, while with a checkpoint in its condition, inlined functions, carried strings and tuples
    "control": """
import random
model Net { param w: float[2, 3] = random.normal(2, 3) }
fn halve(x: float) -> float {
    checkpoint("other", keep=100)
    return x / 2
}
fn positive(x: float) -> bool {
    checkpoint("c", keep=100)
    return x > 0.01
}
command train(n: int = 3, name: string = "run") {
    var net = Net()
    var total = 0.0
    var text = name
    var pair = (1, ones(2))
    for i in 0..n {
        for j in i..n {
            if (i + j) % 2 == 0 {
                net.w = net.w + random.normal(2, 3)
                checkpoint("{name}.state", keep=100)
                total += sum(net.w)
            } else {
                pair = (pair[0] + 1, pair[1] * 1.5)
                text = "{text}-{i}{j}"
                total = total / 2
                checkpoint("c", keep=100)
            }
        }
        var x = 0.1
        while positive(x) { x = halve(x) }
        total += x
        if i == 1 { checkpoint("c", keep=100) }
        print("{i} {total} {text} {pair[0]} {pair[1]}")
    }
    checkpoint("c", keep=100)
    print("{text} {net.w} {total}")
    save(net, "out")
}
""",
    # sizes that are known at run time only, before, in and behind the loop; a tensor that grows; early return
    "sizes": """
import random
command train(rows: int = 3, text: string = "some text") {
    let letters = bytes(text)
    var sums = zeros(rows, 2)
    var rest = 10
    while rest > 0 {
        let part = random.normal(rest, 2)
        checkpoint("c", keep=100)
        sums = sums + sum(part, axis=0)
        for k in 0..rest {
            let more = ones(k + 1)
            checkpoint("c", every=3, keep=100)
            sums = sums * 0.9 + sum(more)
        }
        rest = rest - rows
        if rest == 1 { checkpoint("c", keep=100) }
    }
    print("{sums} {letters} {text}")
}
""",
    # differentiated loops around and behind it
    "gradients": """
import random
command train(n: int = 3) {
    var w = random.normal(3)
    for step in 0..4 {
        var y = w
        for i in 0..n {
            y = y * w + 1.0
            checkpoint("c", keep=1000)
        }
        let loss = sum(y)
        w = w - 0.001 * grad(loss, w)
        checkpoint("c", keep=1000)
    }
    print("{w}")
}
""",
}


def write_program(work, name):
    (work / "program.nn").write_text(PROGRAMS[name])
    (work / "text").write_bytes(bytes(range(40, 64)))


def numbered(folder):
    """The checkpoints in a folder, a list for each path, the oldest first."""
    files = {}
    for path in folder.iterdir():
        base, dot, number = path.name.rpartition(".")
        base, number = (base, int(number)) if number.isdigit() else (path.name, 0)
        if path.read_bytes()[8:24] == b'{"__metadata__":':
            if b"nnc checkpoint" in path.read_bytes()[:200]:
                files.setdefault(base, []).append((number, path))
    return {base: [path for _, path in sorted(found, reverse=True)] for base, found in files.items()}


def without_time(text):
    return "\n".join(line.split('"time":')[0] + line.partition('"time":')[2].partition(",")[2] for line in text.splitlines())


class Runs:
    """The undisturbed run of a command and those that go on from its files."""

    def __init__(self, tools, command, work, inputs):
        self.tools, self.command, self.work, self.inputs = tools, command, work, inputs

    def folder(self, name):
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in self.inputs:
            shutil.copy(path, folder)
        return folder

    def run(self, folder, *arguments, status=0):
        return self.tools.must([*self.command, *arguments], status, cwd=folder)

    def resume_everywhere(self, arguments, threads):
        """The number of files from which it went on to the same end."""
        whole = self.folder("whole")
        expected, _ = self.run(whole, *arguments, "--metrics", "m.jsonl")
        metrics = without_time((whole / "m.jsonl").read_text())
        count = 0
        for base, files in numbered(whole).items():
            for path in files:
                part = self.folder("part")
                shutil.copy(path, part / base)
                (part / "m.jsonl").write_text((whole / "m.jsonl").read_text() + "lines that are written again\n")
                got, err = self.run(part, *arguments, "--resume", f"--threads={threads[count % len(threads)]}",
                                    "--metrics", "m.jsonl")
                where = f"from {path.name}"
                self.require(err == f"resuming from `{base}`\n", f"{where}: {err}")
                self.require(expected.endswith(got), f"{where}: it prints\n{got}\nwhich is not the end of\n{expected}")
                self.require(without_time((part / "m.jsonl").read_text()) == metrics, f"{where}: other metrics")
                if (whole / "out").exists():
                    same = (part / "out").read_bytes() == (whole / "out").read_bytes()
                    self.require(same, f"{where}: the weights differ")
                count += 1
        self.require(count > 3, f"only {count} checkpoints were saved")
        return count

    def require(self, truth, message):
        if not truth:
            raise self.tools.Failure(message)


def program_tests(build, tools):
    for name in PROGRAMS:
        for how in ("-O0", "-O3", "--interpret"):
            def test(name=name, how=how):
                with tempfile.TemporaryDirectory() as work:
                    work = pathlib.Path(work)
                    write_program(work, name)
                    if how == "--interpret":
                        command = [tools.nnc(build), "run", how, str(work / "program.nn"), "--"]
                    else:
                        command = [str(work / "program")]
                        tools.must([tools.nnc(build), "build", "--verify", how, "program.nn", "-o", "program"], cwd=work)
                    runs = Runs(tools, command, work, [work / "text"])
                    return runs.resume_everywhere([], (1, 2, 3))
            if build == "release" or how != "-O3":
                yield f"checkpoints/{name} {how} {build}", test


def tests(build, tools):
    yield from program_tests(build, tools)
