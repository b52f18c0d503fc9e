"""Checkpoints: a run that goes on from any of its files ends as the undisturbed one did, byte for byte; files that are
damaged are skipped, those of something else refused; signals, a full disk."""
import json
import os
import pathlib
import random
import resource
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

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

    def is_safetensors(self, path):
        """The header is JSON, and the tensors follow one another."""
        data = path.read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + length])
        header.pop("__metadata__")
        end = 0
        for first, last in sorted(entry["data_offsets"] for entry in header.values()):
            self.require(first == end, "there is a hole")
            end = last
        self.require(end == len(data) - 8 - length, "bytes are left over")

    def resume_everywhere(self, arguments, threads):
        """The number of files from which it went on to the same end."""
        whole = self.folder("whole")
        expected, _ = self.run(whole, *arguments, "--metrics", "m.jsonl")
        metrics = without_time((whole / "m.jsonl").read_text())
        count = 0
        for base, files in numbered(whole).items():
            for path in files:
                self.is_safetensors(path)
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


# --- files that are not as they were written
SMALL = """
import random
command train(steps: int = 6, rate: float = 0.5, every: int = 1, keep: int = 3) {
    var w = random.normal(40)
    for step in 0..steps {
        w = w * rate + random.normal(40)
        checkpoint("folder/c", every=every, keep=keep)
    }
    print("{w}")
}
command other {
    var x = 1.0
    for i in 0..3 {
        x *= 2.0
        checkpoint("folder/c")
    }
    print(x)
}
command plain { print("plain") }
"""


class Small:
    """The program SMALL, and its undisturbed run."""

    def __init__(self, build, tools, work):
        self.tools, self.work, self.build = tools, work, build
        self.compile(SMALL, "small")
        self.program = str(work / "small")
        self.folder = work / "folder"
        self.fresh()

    def compile(self, text, name, *options):
        (self.work / f"{name}.nn").write_text(text)
        self.tools.must([self.tools.nnc(self.build), "build", *options, f"{name}.nn", "-o", name], cwd=self.work)

    def fresh(self):
        """Ends with checkpoints of the steps 6, 5 and 4."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.whole, _ = self.run()

    def run(self, *arguments, status=0, program=None, command="train", **options):
        return self.tools.must([program or self.program, command, *arguments], status, cwd=self.work, **options)

    def files(self):
        return sorted(path.name for path in self.folder.iterdir())

    def require(self, truth, message):
        if not truth:
            raise self.tools.Failure(message)

    def resumes(self, *words, without=()):
        out, err = self.run("--resume")
        self.require(out == self.whole, f"it prints\n{out}\nand not\n{self.whole}")
        for word in words:
            self.require(word in err, f"`{word}` isn't in\n{err}")
        for word in without:
            self.require(word not in err, f"`{word}` is in\n{err}")

    def refuses(self, *words, arguments=(), **options):
        before = {name: (self.folder / name).read_bytes() for name in self.files()}
        _, err = self.run("--resume", *arguments, status=1, **options)
        for word in words:
            self.require(word in err, f"`{word}` isn't in\n{err}")
        after = {name: (self.folder / name).read_bytes() for name in self.files()}
        self.require(before == after, "the files have changed")


def damage(small):
    """Every way in which the newest file may be damaged: it is skipped, and nothing is lost."""
    count = 0
    data = (small.folder / "c").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    ways = [b"", data[:7], data[:8], data[:100], data[:8 + length], data[:-1], data + b"x", b"\0" * len(data),
            struct.pack("<Q", 1 << 63) + data[8:], struct.pack("<Q", length + 1) + data[8:]]
    generator = random.Random(7)
    for _ in range(40):
        at = generator.randrange(len(data))
        ways.append(data[:at] + bytes([data[at] ^ (1 << generator.randrange(8))]) + data[at + 1:])
    for changed in ways:
        small.fresh()
        (small.folder / "c").write_bytes(changed)
        if changed[8:33] == data[8:33] or len(changed) < 33:
            small.resumes("it is skipped", "resuming from `folder/c.1`")
            # The damaged file has made room for the new one, and not the intact one for the damaged one.
            intact = [name for name in small.files() if b"nnc checkpoint" in (small.folder / name).read_bytes()[:200]]
            small.require("c" in intact and "c.1" in intact, f"only {intact} are intact")
        else:
            small.refuses("there is something else", "move it away")
        count += 1
    return count


def foreign(small):
    """Files of another program, version, type, command or arguments are refused, and said to be that."""
    small.refuses("`--steps` `6`", "`7`", arguments=["--steps=7"])
    small.refuses("`--rate` `0.5`", "`0.25`", arguments=["--rate=0.25"])
    small.refuses("`--seed` `0`", "`9`", arguments=["--seed=9"])
    small.refuses("the command `train`", "`other`", command="other")
    small.compile(SMALL.replace("w * rate", "rate - w"), "small2")
    os.rename(small.work / "small2", small.work / "changed")
    small.refuses("`small`", "`small2`", program=str(small.work / "changed"))
    (small.work / "sub").mkdir()
    (small.work / "sub" / "small.nn").write_text(SMALL.replace("w * rate", "w / rate"))
    build = [small.tools.nnc(small.build), "build", "sub/small.nn", "-o"]
    small.tools.must([*build, "changed"], cwd=small.work)
    small.refuses("another version of this program", program=str(small.work / "changed"))
    (small.work / "sub" / "small.nn").write_text(SMALL)
    small.tools.must([*build, "changed", "--float=f64"], cwd=small.work)
    small.refuses("where `float` is `f32`", "`f64`", program=str(small.work / "changed"))
    # A comment, another place and other threads change nothing.
    (small.work / "sub" / "small.nn").write_text("# a comment\n\n" + SMALL)
    small.tools.must([*build, "changed"], cwd=small.work)
    out, _ = small.run("--resume", "--threads=3", program=str(small.work / "changed"))
    small.require(out == small.whole, "a comment has changed the result")
    # What was there before is never replaced by a checkpoint.
    shutil.rmtree(small.folder)
    small.folder.mkdir()
    (small.folder / "c").write_text("something that somebody has written and wants to keep")
    for arguments in ([], ["--resume"]):
        _, err = small.run(*arguments, status=1)
        small.require("there is something else" in err, err)
    os.remove(small.folder / "c")
    (small.folder / "c").mkdir()
    _, err = small.run(status=1)
    small.require("there is something else" in err, err)
    _, err = small.run("--resume", status=2, command="plain")
    small.require("`plain` has no checkpoint" in err, err)
    return 12


def signed(data, change):
    """The file with another header, and the checksum that says that it is intact."""
    length = struct.unpack("<Q", data[:8])[0]
    header = change(data[8:8 + length])
    header += b" " * (-len(header) % 8)
    unsigned = header[:25] + b"00000000" + header[33:]
    return struct.pack("<Q", len(header)) + unsigned[:25] + b"%08x" % zlib.crc32(unsigned) + header[33:] + data[8 + length:]


def forged(small):
    """Checksums say that a file is intact, not that it makes sense: nothing in it may crash the program."""
    data = (small.folder / "c").read_bytes()
    changes = [(b'"site":"0"', b'"site":"1"'), (b'"site":"0"', b'"site":"-1"'), (b'"site":"0"', b'"site":"x"'),
               (b'"site":"0"', b'"tise":"0"'), (b'"loops":"0"', b'"loops":"99999999999999999999"'),
               (b'"loops":"0"', b'"loops":"7 -3/9 x/"'), (b'"passes":"6"', b'"passes":""'),
               (b'"passes":"6"', b'"passes":"99999999999999999999 1 1 1"'), (b'"checksums":"', b'"checksums":"" ,"x":"'),
               (b'"w":', b'"v":'), (b'"dtype":"F32","shape":[40]', b'"dtype":"F32","shape":[20,2]'),
               (b'"dtype":"F32","shape":[40]', b'"dtype":"I32","shape":[40]'), (b'"seconds":"', b'"seconds":"nan'),
               (b'"argument.steps"', b'"argument.stops"'), (b'"__metadata__":{', b'"__metadata__":{"crc32":"1",')]
    for old, new in changes:
        small.require(old in data, f"{old} isn't in the file")
        (small.folder / "c").write_bytes(signed(data, lambda header: header.replace(old, new, 1)))
        status, out, err = small.tools.run([small.program, "train", "--resume"], cwd=small.work)
        small.require(status in (0, 1) and err.count("\n") <= 3, f"{new}: exit status {status}\n{out}{err}")
        small.require(status == 1 or out == small.whole, f"{new}: it prints\n{out}")
    # Texts, datasets and indices of another run's file, cut and changed.
    write_program(small.work, "data")
    small.compile(PROGRAMS["data"], "data")
    data_program = str(small.work / "data")
    small.tools.must([data_program], cwd=small.work)
    data = (small.work / "c").read_bytes()
    for old, new in [(b"open 5:bytes", b"open 9:bytes"), (b"open 5:bytes", b"open 5:bites"), (b"windows 4", b"windows 0"),
                     (b"windows 4", b"windows 9"), (b"take 0 11", b"take 9 99"), (b"4:text", b"4:next"), (b" 24\n", b" 25\n")]:
        small.require(old in data, f"{old} isn't in the file")
        changed = data.replace(old, new)
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + length])
        names = sorted((name for name in header if name != "__metadata__"), key=lambda name: name.encode())
        sums = []
        for name in names:
            first, last = header[name]["data_offsets"]
            sums.append(b"%08x" % zlib.crc32(changed[8 + length + first:8 + length + last]))
        before = header["__metadata__"]["checksums"].encode()
        (small.work / "c").write_bytes(signed(changed, lambda header: header.replace(before, b" ".join(sums))))
        status, out, err = small.tools.run([data_program, "--resume"], cwd=small.work)
        small.require(status in (0, 1) and err.count("\n") <= 3, f"{new}: exit status {status}\n{out}{err}")
    return len(changes) + 7


def keeping(small):
    """How many files there are, that nothing else is left behind, and where none is."""
    small.require(small.files() == ["c", "c.1", "c.2"], f"{small.files()}")
    for keep in (1, 2, 5):
        shutil.rmtree(small.folder)
        small.folder.mkdir()
        small.run(f"--keep={keep}")
        expected = sorted(["c", *(f"c.{n}" for n in range(1, keep))])
        small.require(small.files() == expected, f"keep={keep}: {small.files()}")
    for wrong in ("--keep=0", "--every=0", "--every=-3"):
        _, err = small.run(wrong, status=1)
        small.require("must be at least 1" in err, err)
    shutil.rmtree(small.folder)
    small.folder.mkdir()
    small.resumes("no checkpoint to resume from: starting afresh")
    # What a killed process had begun is removed, what a living one writes is not.
    gone = subprocess.Popen(["true"])
    gone.wait()
    for process in (gone.pid, os.getpid()):
        (small.folder / f"c.{process}.tmp").write_bytes(b"begun")
    small.resumes("resuming from `folder/c`")
    small.require(f"c.{gone.pid}.tmp" not in small.files(), "the remains are still there")
    small.require(f"c.{os.getpid()}.tmp" in small.files(), "somebody else's file is gone")
    # Between the renames of a save: the newest is missing.
    os.rename(small.folder / "c", small.folder / "c.1")
    small.resumes("resuming from `folder/c.1`")
    return 10


def full_disk(small):
    """Files may not grow beyond a limit: training goes on and warns once; then the limit is lifted."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, resource.RLIM_INFINITY))
    before = {name: (small.folder / name).read_bytes() for name in small.files()}
    out, err = small.run(preexec_fn=limit)
    small.require(out == small.whole, "it computes something else")
    small.require(err.count("warning: cannot save the checkpoint `folder/c`: File too large") == 1, err)
    after = {name: (small.folder / name).read_bytes() for name in small.files()}
    small.require(before == after, "the checkpoints of before have changed")
    # No folder to save in is a failure like any other.
    shutil.rmtree(small.folder)
    out, err = small.run()
    small.require(out == small.whole and err.count("warning") == 1 and "No such file" in err, err)
    return 3


LONG = """
import random
const n = 300
command train(steps: int = 400) {
    var w = random.normal(n, n)
    for step in 0..steps {
        w = tanh(w @ w * 0.1 + random.normal(n, n))
        if step == 5 { print("running") }
        checkpoint("folder/c", every=100000)
    }
    print("{sum(w)}")
}
"""


def stop(small, signals, program, arguments=()):
    """Starts a run and sends it these signals, once it prints; (exit status, output, errors). Where these tests run in the
    background of a shell, SIGINT is ignored, and would be by the run."""
    process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=small.work,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    process.stdout.readline()
    for which in signals:
        process.send_signal(which)
        time.sleep(0.001)
    out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(), err.decode()


def signals(small):
    small.compile(LONG, "long")
    program = str(small.work / "long")
    whole, _ = small.tools.must([program], cwd=small.work)
    count = 0
    for which in (signal.SIGTERM, signal.SIGINT):
        shutil.rmtree(small.folder)
        small.folder.mkdir()
        status, out, err = stop(small, [which], program)
        small.require(status == 75, f"exit status {status}\n{out}{err}")
        small.require(f"stopped; go on with: {program} --resume\n" in err, err)
        out, err = small.tools.must([program, "--resume"], cwd=small.work)
        small.require(whole.endswith(out), "it ends differently")
        # One after another ends it at once; whatever is there is intact.
        status, out, err = stop(small, [which] * 2, program)
        small.require(status in (-which, 75), f"exit status {status}\n{out}{err}")
        out, err = small.tools.must([program, "--resume"], cwd=small.work)
        small.require(whole.endswith(out) and "skipped" not in err, f"it ends differently\n{err}")
        count += 2
    # `nnc run` hands on what stops it; the interpreter hears it itself.
    for how in ([], ["--interpret", "-D", "n=50"]):
        shutil.rmtree(small.folder)
        small.folder.mkdir()
        command = [small.tools.nnc(small.build), "run", *how, "long.nn"]
        whole, _ = small.tools.must(command, cwd=small.work)
        status, out, err = stop(small, [signal.SIGTERM], command[0], command[1:])
        small.require(status == 75 and f"go on with: {shlex.join(command)} -- --resume" in err, f"exit status {status}\n{out}{err}")
        out, err = small.tools.must([*command, "--", "--resume"], cwd=small.work)
        small.require(whole.endswith(out), "it ends differently")
        count += 1
    # One that was killed before its first checkpoint starts again, and takes back its metrics, and no others.
    small.compile(LONG.replace("        if step", "        report(at=step)\n        if step"), "reporting")
    shutil.rmtree(small.folder)
    small.folder.mkdir()
    program, metrics = str(small.work / "reporting"), small.work / "m.jsonl"
    small.tools.must([program, "--steps=3", "--metrics=m.jsonl"], cwd=small.work)
    before = metrics.read_text()
    status, out, err = stop(small, [signal.SIGKILL], program, ["--steps=20", "--metrics=m.jsonl"])
    small.require(len(metrics.read_text().splitlines()) > 5, metrics.read_text())
    for again in range(2):
        _, err = small.tools.must([program, "--steps=20", "--metrics=m.jsonl", "--resume"], cwd=small.work)
        small.require("starting afresh" in err, err)
        lines = metrics.read_text()
        steps = [json.loads(line)["step"] for line in lines.splitlines()]
        small.require(lines.startswith(before) and steps == [1, 2, 3, *range(1, 21)], f"{steps}")
    # Where nothing can be saved, stopping is a failure.
    shutil.rmtree(small.folder)
    program = str(small.work / "long")
    status, out, err = stop(small, [signal.SIGTERM], program)
    small.require(status == 1 and "stopped, but cannot save the checkpoint" in err, f"exit status {status}\n{err}")
    # Without checkpoints a signal does what it does everywhere.
    small.compile(LONG.replace('checkpoint("folder/c", every=100000)', ""), "unsaved")
    status, out, err = stop(small, [signal.SIGTERM], str(small.work / "unsaved"))
    small.require(status == -signal.SIGTERM, f"exit status {status}\n{err}")
    return count + 2


# --- killing
def killed_program(small):
    """A run that is killed at random moments, within saves too."""
    text = LONG.replace("every=100000", "every=3").replace('print("{sum(w)}")', 'print("{sum(w)}")\n    save_it(w)')
    text = text.replace("    save_it(w)\n", '    var net = Net()\n    net.w = w\n    save(net, "out")\n')
    small.compile("model Net { param w: float[300, 300] = zeros(300, 300) }\n" + text, "killed")
    folders = []
    for name, arguments in (("whole", []), ("part", ["--steps=400"])):
        folder = small.work / name
        folder.mkdir()
        (folder / "folder").mkdir()
        folders.append(folder)
    small.tools.must([str(small.work / "killed")], cwd=folders[0])
    generator = random.Random(3)
    kills = 0
    for attempt in range(100):
        process = subprocess.Popen([str(small.work / "killed"), "--resume", f"--threads={1 + attempt % 2}"],
                                   cwd=folders[1], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=generator.uniform(0.01, 0.4))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    small.require(process.returncode == 0, f"exit status {process.returncode} after {kills} kills")
    same = (folders[0] / "out").read_bytes() == (folders[1] / "out").read_bytes()
    small.require(same, f"the weights differ after {kills} kills")
    small.require(kills > 0, "it was never killed")
    return kills


def file_tests(build, tools):
    for body in (damage, foreign, forged, keeping, full_disk, signals, killed_program):
        def test(body=body):
            with tempfile.TemporaryDirectory() as work:
                return body(Small(build, tools, pathlib.Path(work)))
        yield f"checkpoints/{body.__name__} {build}", test


def tests(build, tools):
    yield from program_tests(build, tools)
    yield from file_tests(build, tools)
