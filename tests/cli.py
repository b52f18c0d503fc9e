"""Command lines: exit status and the essential words, of nnc and of a compiled program."""
import os
import re
import stat
import tempfile

FACTORS = """
import random
command main {
    let x = random.normal(ROWS, 32)
    let w = random.normal(64, 32, 32)
    let y[b, o] = sum(x[b, i] * w[o, i, j] * x[b, j] for i, j)
    print("{y[0, 0]}")
}
"""

HELLO = """
## Greet somebody.
command greet(
    ## who is
    ## greeted
    name: string = "world",
    times: int = 1, loud: bool = false) {
    for i in 0..times { if loud { print("HELLO {name}") } else { print("hello {name}") } }
}
## Add two numbers.
command add(a: float, b: float = 0.5) { print("{a + b}") }
## Add n times n ones up.
command square(n: int) { print("{sum(ones(n, n))}") }
## Print a table.
command table(n: int) {
    let steps = exp(float(range(n)))
    print(steps)
}
"""

PRODUCT = """
command main(n: int = 20, a: float = 2) {
    let x = float(range(n * 30)).reshape(n, 30) * a
    let y = float(range(30 * 40)).reshape(30, 40) + a
    print("{max(x @ y)}")
}
"""

NORMS = """
command main(n: int = 5, x: float = 2) {
    let a = float(range(n)) * x
    let b = float(range(n + 1)) * x
    let c = float(range(n + 2)) * x
    print("{sqrt(sum(a * a) + sum(b * b) + sum(c * c))}")
}
"""

# (arguments after nnc, exit status, words that the output must hold)
NNC = [
    (["--version"], 0, ["nnc "]),
    (["--help"], 0, ["build", "check", "Exit status"]),
    (["build", "--help"], 0, ["--emit", "--target", "-D"]),
    (["help", "run"], 0, ["--interpret"]),
    (["ir", "--help"], 0, ["autodiff", "plan", "give every tensor a place"]),
    ([], 2, ["Usage"]),
    (["biuld", "x.nn"], 2, ["did you mean `build`"]),
    (["hello.nn"], 2, ["nnc build hello.nn"]),
    (["build"], 2, ["which file"]),
    (["build", "hello.nn", "--emti=ir"], 2, ["did you mean `--emit`"]),
    (["build", "hello.nn", "--emit=cobol"], 2, ["cannot be `cobol`", "llvm"]),
    (["build", "hello.nn", "--blas=mkl"], 2, ["cannot be `mkl`", "openblas"]),
    (["build", "hello.nn", "-D", "x"], 2, ["NAME=VALUE"]),
    (["build", "hello.nn", "--cpu=pdp11", "-o", "x"], 1, ["pdp11"]),
    (["build", "missing.nn"], 1, ["missing.nn"]),
    (["build", "part.nn"], 1, ["part.nn: has no command", "command main"]),
    (["run", "--interpret", "part.nn"], 1, ["part.nn: has no command"]),
    (["check", "part.nn"], 0, []),
    (["check", "."], 1, ["directory"]),
    (["check", "/proc/self/status"], 1, ["does not say how long it is"]),
    (["check", "hello.nn"], 0, []),
    (["build", "hello.nn", "-D", "nothing=3"], 1, ["nothing"]),
    (["run", "hello.nn", "--", "greet", "--name", "you"], 0, ["hello you"]),
    (["run", "--interpret", "hello.nn", "--", "greet", "--name", "you", "--times=2"], 0, ["hello you\nhello you"]),
    (["build", "hello.nn", "--emit=asm", "-o", "-"], 0, ["nn_program"]),
    (["build", "hello.nn", "--emit=llvm", "-o", "-"], 0, ["define"]),
    (["build", "hello.nn", "--target=aarch64-linux-gnu", "-o", "arm.o"], 0, []),
    (["build", "hello.nn", "-g", "-o", "debuggable"], 0, []),
    (["build", "hello.nn", "--report", "-o", "reported"], 0, ["greet: 0 bytes", "table: 64*", "steps  hello.nn:16"]),
    (["build", "product.nn", "--report", "-o", "reported"], 0, ["100.0%   1x  f32 m?:30:0 n40:0:1 k30:1:40 = lanes="]),
    (["build", "product.nn", "--report", "--blas=openblas", "-o", "reported"], 0, ["k30:1:40 = blas lanes="]),
    (["build", "product.nn", "--tune", "--cpu=x86-64"], 2, ["measures on this machine"]),
    (["build", "product.nn", "--tune-file=none.tune", "-o", "x"], 1, ["none.tune"]),
]

PROGRAM = [
    (["--help"], 0, ["greet", "Greet somebody.", "add"]),
    (["greet", "--help"], 0, ["--name TEXT        who is greeted (default: `world`)\n", "--times INTEGER    default: 1\n", "--loud"]),
    (["greet"], 0, ["hello world"]),
    (["greet", "--loud", "--times=2"], 0, ["HELLO world\nHELLO world"]),
    (["greet", "--nmae=x"], 2, ["--name"]),
    (["great"], 2, ["greet"]),
    (["greet", "--times=many"], 2, ["many"]),
    (["add"], 2, ["--a"]),
    (["add", "--a=1.25"], 0, ["1.75"]),
    (["square", "--n=3"], 0, ["9"]),
    (["square", "--n=4294967296"], 1, ["hello.nn:13", "the size n*n is too large"]),
    (["square", "--n=9223372036854775807"], 1, ["hello.nn:13", "the size n*n is too large"]),
    (["square", "--n=-1"], 1, ["hello.nn:13", "negative"]),
]


def tests(build, tools):
    def check(command, status, words, work):
        got, out, err = tools.run(command, cwd=work)
        if got != status:
            raise tools.Failure(f"exit status {got}, expected {status}: {command}\n{out}{err}")
        for word in words:
            if word not in out + err:
                raise tools.Failure(f"`{word}` is not in the output of {command}:\n{out}{err}")

    def prepare(work):
        with open(os.path.join(work, "hello.nn"), "w") as file:
            file.write(HELLO)
        with open(os.path.join(work, "part.nn"), "w") as file:
            file.write("fn twice(x: float) -> float = 2 * x\n")
        with open(os.path.join(work, "product.nn"), "w") as file:
            file.write(PRODUCT)

    for arguments, status, words in NNC:
        def test(arguments=arguments, status=status, words=words):
            with tempfile.TemporaryDirectory() as work:
                prepare(work)
                check([tools.nnc(build), *arguments], status, words, work)
        yield f"cli/nnc {' '.join(arguments)} {build}", test

    def program():
        with tempfile.TemporaryDirectory() as work:
            prepare(work)
            tools.must([tools.nnc(build), "build", "hello.nn", "-o", "hello"], cwd=work)
            for arguments, status, words in PROGRAM:
                check(["./hello", *arguments], status, words, work)
        return len(PROGRAM)
    yield f"cli/program {build}", program

    def output():
        """Neither a source nor a device is replaced by what is written; a device takes the bytes."""
        with tempfile.TemporaryDirectory() as work:
            with open(os.path.join(work, "part.nn"), "w") as file:
                file.write("fn twice(x: float) -> float = 2 * x\n")
            with open(os.path.join(work, "whole"), "w") as file:
                file.write('import part\ncommand main { print("{part.twice(2)}") }\n')
            os.symlink("whole", os.path.join(work, "link"))
            os.mkfifo(os.path.join(work, "pipe"))
            nnc = tools.nnc(build)
            for target in ("whole", "./part.nn", "link"):
                for kind in ("exe", "ir", "ast"):
                    if (kind, target) != ("ast", "./part.nn"):  # a syntax tree is one file's
                        check([nnc, "build", "whole", f"--emit={kind}", "-o", target], 1, ["is a source of the program"], work)
            check([nnc, "build", "./whole"], 0, [], work)
            check(["./whole.out"], 0, ["4"], work)
            check(["sh", "-c", f"cat pipe > copy & '{nnc}' build whole -o pipe && wait && chmod +x copy && ./copy"], 0, ["4"], work)
            if not stat.S_ISFIFO(os.stat(os.path.join(work, "pipe")).st_mode):
                raise tools.Failure("the pipe was replaced")
    yield f"cli/output {build}", output

    def openblas():
        """Linked only where it is used."""
        with tempfile.TemporaryDirectory() as work:
            prepare(work)
            for source, choice, used in (("product", "openblas", True), ("product", "none", False),
                                         ("product", "auto", False), ("hello", "openblas", False)):
                tools.must([tools.nnc(build), "build", f"--blas={choice}", f"{source}.nn", "-o", "program"], cwd=work)
                out, _ = tools.must(["ldd", "program"], cwd=work)
                if ("openblas" in out) != used:
                    raise tools.Failure(f"--blas={choice} {source}.nn:\n{out}")
    yield f"cli/openblas {build}", openblas

    def factors():
        """A sum of products of three factors is two products of matrices, unless what is between would fill memory."""
        with tempfile.TemporaryDirectory() as work:
            for rows, products in ((64, 1), (1 << 20, 0)):
                with open(os.path.join(work, "sum.nn"), "w") as file:
                    file.write(FACTORS.replace("ROWS", str(rows)))
                got, out, err = tools.run([tools.nnc(build), "build", "sum.nn", "--stop-after=simplify", "--print-after=simplify"], cwd=work)
                if got != 0 or ("contract(" in err) != bool(products):
                    raise tools.Failure(f"not {products} products of {rows} rows:\n{err}")
    yield f"cli/factors {build}", factors

    def launches():
        """Kernels whose results are added up are one call of the runtime."""
        with tempfile.TemporaryDirectory() as work:
            with open(os.path.join(work, "norms.nn"), "w") as file:
                file.write(NORMS)
            out, _ = tools.must([tools.nnc(build), "build", "norms.nn", "-O0", "--emit=llvm", "-o", "-"], cwd=work)
            if out.count("call void @nn_launch") != 1:
                raise tools.Failure(out)
            out, _ = tools.must([tools.nnc(build), "run", "norms.nn"], cwd=work)
            if out.strip() != "26.532999":
                raise tools.Failure(out)
    yield f"cli/launches {build}", launches

    def runtime():
        """A runtime that isn't this compiler's is refused."""
        with tempfile.TemporaryDirectory() as work:
            prepare(work)
            archive = os.path.join(os.path.dirname(tools.nnc(build)), "../lib/libnnrt.a")
            with open(archive, "rb") as file:
                data = file.read()
            at = data.index(b"nnrt.h ") + len("nnrt.h ")
            other = b"1" if data[at:at + 1] == b"0" else b"0"
            with open(os.path.join(work, "other.a"), "wb") as file:
                file.write(data[:at] + other + data[at + 1:])
            command = [tools.nnc(build), "build", "hello.nn", "-o", "program"]
            for name, status, words in (("other.a", 1, ["another version of nnc"]), ("none.a", 1, ["none.a is missing"]), (archive, 0, [])):
                got, out, err = tools.run(command, cwd=work, env={**os.environ, "NNC_RUNTIME": name})
                if got != status or any(word not in err for word in words):
                    raise tools.Failure(f"{name}: exit status {got}\n{out}{err}")
    yield f"cli/runtime {build}", runtime

    def tune():
        """What was measured is read by later builds, on this CPU; what isn't understood is a warning."""
        with tempfile.TemporaryDirectory() as work:
            prepare(work)
            product = "f32 m?:30:0 n40:0:1 k30:1:40"
            report = [tools.nnc(build), "build", "--color=never", "--report", "product.nn", "-o", "program"]
            tools.must([*report, "--tune"], cwd=work)
            path = os.path.join(work, "product.tune")
            with open(path) as file:
                measured = [line for line in file if product in line]
            if len(measured) != 1:
                raise tools.Failure(f"{product} wasn't measured: {measured}")
            cpu = measured[0].lstrip("# ").split()[0]
            lanes = re.search(r"lanes=\d+", measured[0])[0]
            with open(path, "w") as file:
                file.write(f"pdp11/16 {product} = rows=1\n{cpu} {product} = blas {lanes} rows=1 vectors=1 chunk_rows=8\n"
                           f"{cpu} {product} = speed\n")
            out, err = tools.must(report, cwd=work)
            if f"{product} = blas " not in out or "product.tune:3:" not in err or "no `speed`" not in err:
                raise tools.Failure(out + err)
            out, _ = tools.must([*report, "--blas=none"], cwd=work)
            if "blas" in out:
                raise tools.Failure(out)
            tools.must([*report, "--tune", "--blas=none"], cwd=work)
            with open(path) as file:
                text = file.read()
            if f"\npdp11/16 {product} = rows=1\n" not in text or "blas" in text:
                raise tools.Failure(text)
            out, _ = tools.must(["./program"], cwd=work)
            if out != tools.must([tools.nnc(build), "run", "--interpret", "product.nn"], cwd=work)[0]:
                raise tools.Failure(out)
    yield f"cli/tune {build}", tune
