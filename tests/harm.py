"""Programs that mean harm: each gives one clear error, soon, however much there is of it. (The parser's share is in tests/unit/test_parser.c.)"""
import pathlib
import shlex
import tempfile


def chain(count, body):
    """Functions that each call the one before."""
    calls = [f"fn f{i}(x: int) -> int = {body.format(f'f{i - 1}(x)')}\n" for i in range(1, count)]
    return "fn f0(x: int) -> int = x\n" + "".join(calls) + f"command main(n: int = 1) {{ print(f{count - 1}(n)) }}\n"


NAME = "n" * 65536
# name: (text, code)
HARM = {
    "a line of a megabyte": ("command main { print(" + "1, " * 300000 + "oops) }\n", "E0201"),
    "a long comment": ("# " + "x" * 1000000 + "\ncommand main { oops }\n", "E0201"),
    "long names": (f"command main {{ let {NAME} = 1\n print(m{NAME}) }}\n", "E0201"),
    "a long model": (f"model {NAME} {{ param w: float[3] = zeros() }}\ncommand main {{ let x = {NAME}()\n x.foo }}\n", "E0202"),
    "a long module": (f"import {NAME}\ncommand main {{ print(1) }}\n", "E0290"),
    "a size of 2^63": ("command main { print(zeros(9223372036854775808)) }\n", "E0415"),
    "a size that wraps": ("command main { print(zeros(4294967296, 4294967296)) }\n", "E0450"),
    "somebody's file": ('import "/etc/passwd"\ncommand main { print(1) }\n', "E0123"),
    "a list without end": ("command main { let x = [i for i in 0..1000000000]\n print(x[0]) }\n", "E0413"),
    "a deep chain of calls": (chain(3000, "{0} + 1"), "E0110"),
    "calls that double": (chain(60, "{0} + {0}"), "E0413"),
    "constants from the last": ("".join(f"const a{i} = a{i + 1} + 1\n" for i in range(5000)) + "const a5000 = 1\ncommand main { print(a0) }\n",
                                "E0110"),
    "many parameters": ("fn f(" + ", ".join(f"a{i}: int" for i in range(20000)) + ") -> int = 1\ncommand main { print(f(1)) }\n", "E0315"),
    "a deep shape": ("fn f(x: float[n" + " + 1" * 20000 + "]) -> int = 1\ncommand main { print(f(ones(2))) }\n", "E0110"),
}
# Seconds of processor time: much more than any needs, much less than what grows with the square of the size.
SECONDS = {"release": 8, "asan": 60}


def tests(build, tools):
    def check(text, code):
        with tempfile.TemporaryDirectory() as work:
            path = pathlib.Path(work) / "harm.nn"
            path.write_text(text)
            command = "build" if code == "E0450" else "check"
            line = shlex.join([tools.nnc(build), command, "--color=never", str(path)])
            status, out, err = tools.run(["sh", "-c", f"ulimit -t {SECONDS[build]}; exec {line}"], cwd=work)
        if status != 1 or f"[{code}]" not in err or len(err) > 10000:
            raise tools.Failure(f"exit status {status}, expected 1 and {code}:\n{out}{err[:2000]}")
    for name, (text, code) in HARM.items():
        yield f"harm/{name} {build}", lambda text=text, code=code: check(text, code)
