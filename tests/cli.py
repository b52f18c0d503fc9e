"""Command lines: exit status and the essential words, of nnc and of a compiled program."""
import os
import tempfile

HELLO = """
## Greet somebody.
command greet(name: string = "world", times: int = 1, loud: bool = false) {
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
    (["build", "hello.nn", "-D", "x"], 2, ["NAME=VALUE"]),
    (["build", "hello.nn", "--cpu=pdp11", "-o", "x"], 1, ["pdp11"]),
    (["build", "missing.nn"], 1, ["missing.nn"]),
    (["check", "."], 1, ["directory"]),
    (["check", "hello.nn"], 0, []),
    (["build", "hello.nn", "-D", "nothing=3"], 1, ["nothing"]),
    (["run", "hello.nn", "--", "greet", "--name", "you"], 0, ["hello you"]),
    (["run", "--interpret", "hello.nn", "--", "greet", "--name", "you", "--times=2"], 0, ["hello you\nhello you"]),
    (["build", "hello.nn", "--emit=asm", "-o", "-"], 0, ["nn_program"]),
    (["build", "hello.nn", "--emit=llvm", "-o", "-"], 0, ["define"]),
    (["build", "hello.nn", "--target=aarch64-linux-gnu", "-o", "arm.o"], 0, []),
    (["build", "hello.nn", "-g", "-o", "debuggable"], 0, []),
    (["build", "hello.nn", "--report", "-o", "reported"], 0, ["greet: 0 bytes", "table: 64*", "steps  hello.nn:12"]),
]

PROGRAM = [
    (["--help"], 0, ["greet", "Greet somebody.", "add"]),
    (["greet", "--help"], 0, ["--name", "--times", "--loud", "world"]),
    (["greet"], 0, ["hello world"]),
    (["greet", "--loud", "--times=2"], 0, ["HELLO world\nHELLO world"]),
    (["greet", "--nmae=x"], 2, ["--name"]),
    (["great"], 2, ["greet"]),
    (["greet", "--times=many"], 2, ["many"]),
    (["add"], 2, ["--a"]),
    (["add", "--a=1.25"], 0, ["1.75"]),
    (["square", "--n=3"], 0, ["9"]),
    (["square", "--n=4294967296"], 1, ["hello.nn:9", "the size n*n is too large"]),
    (["square", "--n=9223372036854775807"], 1, ["hello.nn:9", "the size n*n is too large"]),
    (["square", "--n=-1"], 1, ["hello.nn:9", "negative"]),
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
