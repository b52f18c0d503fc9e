#!/usr/bin/env python3
"""Runs every test and ends with `N passed, N failed`.

    tests/run.py [--update] [--release-only] [WORD...]     only tests whose name contains one of the words

Suites, a folder each:
  unit, runtime   Criterion programs built by CMake
  diagnostics     NAME.nn, and NAME.expected: what `nnc check` says of it (`# command: build` in its head: what that says);
                  NAME.nnir: what `nnc ir` says
  parse           NAME.nn, and NAME.ast: its syntax tree
  ir              NAME.nnir, first line `# passes: a,b`, and NAME.expected: the graph after these passes
  programs        NAME.nn, and NAME.out: what it prints. Compiled at -O0 and -O3, run on 1, 2 and 3 threads, and interpreted
  cli             cli.py: command lines and their exit status
  memory          memory.py: the bytes that gradients keep
  harm            harm.py: programs that mean harm
  data            data.py: datasets and weights from files
  reference       fixtures made with PyTorch (tests/reference/README.md)
  checkpoints     checkpoints.py: runs that go on; kill.py does it at random moments, by hand
  examples        the examples on small settings
  docs            the programs of the documentation
  library         docs/stdlib.md is what the comments in stdlib/ say

A line `# args: …` at the head of a program gives its arguments, `# exit: N` its exit status, `# options: …` those of nnc;
`# interpret: no` leaves the interpreter out. The unit tests read native/; fuzz/ holds programs that are run by hand.
Everything that compiles runs twice: with the release build and with the one under ASan and UBSan.
"""
import concurrent.futures
import functools
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
sys.path.insert(0, str(TESTS))
sys.dont_write_bytecode = True

BUILDS = {"release": ROOT / "build", "asan": ROOT / "build-asan"}
TIMEOUT = 240  # seconds a command: a hang is a failure
UNIT_TIMEOUT = 900  # for a suite of many tests, each of which has its own limit
UPDATE = False


class Failure(Exception):
    pass


def nnc(build):
    return str(BUILDS[build] / "bin" / "nnc")


def run(command, timeout=TIMEOUT, **options):
    """Runs a command; (exit status, stdout, stderr). Negative status: killed by that signal."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, **options)
    except subprocess.TimeoutExpired:
        raise Failure(f"no end after {timeout} s: {shlex.join(map(str, command))}")
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def must(command, status=0, **options):
    """Runs a command that must end with `status`; its (stdout, stderr)."""
    got, out, err = run(command, **options)
    if got != status:
        raise Failure(f"exit status {got}, expected {status}: {shlex.join(map(str, command))}\n{out}{err}")
    return out, err


def header(path, key, default=""):
    """The value of `# key: value` in the comment lines at the head of a file."""
    for line in path.read_text(errors="replace").splitlines():
        if not line.startswith("#"):
            break
        match = re.match(rf"# {key}: (.*)", line)
        if match:
            return match.group(1).strip()
    return default


def compare(expected_path, got):
    if UPDATE:
        expected_path.write_text(got)
        return
    if not expected_path.exists():
        raise Failure(f"{expected_path.name} is missing; the output is:\n{got}")
    expected = expected_path.read_text(errors="replace")
    if expected != got:
        import difflib
        lines = difflib.unified_diff(expected.splitlines(), got.splitlines(), "expected", "got", lineterm="")
        raise Failure("\n".join(lines))


# --- suites: each yields (name, function)

def criterion(build, name):
    """A test for each suite of the program, so that they share out the CPUs."""
    program = BUILDS[build] / "bin" / name
    # LeakSanitizer cannot trace Criterion's own forked children.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    listed = run([str(program), "--list"], env=environment)[1] if program.exists() else ""
    suites = re.findall(r"^(\w+): \d+ tests?", re.sub(r"\x1b\[[0-9;]*m", "", listed), re.MULTILINE)

    def test(suite="*"):
        if not program.exists():
            raise Failure(f"{program} was not built")
        status, out, err = run([str(program), "-j1", "--timeout=300", f"--filter={suite}/*"], UNIT_TIMEOUT,
                               env=environment, cwd=ROOT)
        match = re.search(r"Tested:\D*(\d+).*?Passing:\D*(\d+).*?Failing:\D*(\d+).*?Crashing:\D*(\d+)",
                          re.sub(r"\x1b\[[0-9;]*m", "", err + out))
        if not match and status < 0:
            # It starts each test as a stopped process, and takes whatever else stops one for that.
            raise Failure(f"{name}: signal {-status} inside Criterion itself, as where processes are stopped and "
                          f"continued (^Z) while tests run\n{err}{out}")
        if not match or status != 0 or int(match.group(1)) == 0:
            raise Failure(err + out)
        return int(match.group(2))
    for suite in suites or ["*"]:
        yield f"{name}/{suite} {build}", functools.partial(test, suite)


def diagnostics(build):
    for path in sorted((TESTS / "diagnostics").glob("*.nn*")):
        def test(path=path):
            command = "ir" if path.suffix == ".nnir" else header(path, "command", "check")
            options = shlex.split(header(path, "options"))
            status, out, err = run([nnc(build), command, "--color=never", *options, path.name], cwd=path.parent)
            if status not in (0, 1):
                raise Failure(f"exit status {status}\n{out}{err}")
            code = path.name.split("-")[0].split(".")[0]
            if re.fullmatch(r"[EW]\d{4}", code) and f"[{code}]" not in err:
                raise Failure(f"{code} was not reported:\n{err}")
            compare(path.with_suffix(".expected"), err)
        yield f"diagnostics/{path.name} {build}", test


def parse(build):
    for path in sorted((TESTS / "parse").glob("*.nn")):
        def test(path=path):
            out, _ = must([nnc(build), "build", "--emit=ast", path.name], cwd=path.parent)
            compare(path.with_suffix(".ast"), out)
        yield f"parse/{path.name} {build}", test


def ir(build):
    for path in sorted((TESTS / "ir").glob("*.nnir")):
        def test(path=path):
            out, _ = must([nnc(build), "ir", "--verify", f"--passes={header(path, 'passes')}", path.name], cwd=path.parent)
            compare(path.with_suffix(".expected"), out)
        yield f"ir/{path.name} {build}", test


def programs(build):
    for path in sorted((TESTS / "programs").glob("*.nn*")):  # .nn, and .nnir: the same in the graph's text form
        args = shlex.split(header(path, "args"))
        options = shlex.split(header(path, "options"))
        status = int(header(path, "exit", "0"))

        def check(command, path=path, status=status):
            with tempfile.TemporaryDirectory() as work:
                out, err = must(command, status, cwd=work)
            text = out + (err if status else "")
            compare(path.with_suffix(".out"), text.replace(f"{path.parent}/", ""))

        def interpreted(path=path, args=args, options=options, check=check):
            check([nnc(build), "run", "--interpret", "--verify", *options, str(path), "--", *args])

        def native(level, path=path, args=args, options=options, check=check):
            with tempfile.TemporaryDirectory() as work:
                program = f"{work}/program"
                must([nnc(build), "build", "--verify", f"-O{level}", *options, str(path), "-o", program])
                for threads in (1, 2, 3) if level == 3 else (1,):
                    check([program, *args, f"--threads={threads}"])

        if header(path, "interpret", "yes") == "yes":
            yield f"programs/{path.name} interpreted {build}", interpreted
        for level in (0, 3) if build == "release" else (0,):
            yield f"programs/{path.name} -O{level} {build}", lambda level=level, native=native: native(level)


def module_tests(build):
    """Suites written in Python: a module's `tests(build, tools)` yields like the others."""
    import types
    tools = types.SimpleNamespace(run=run, must=must, nnc=nnc, Failure=Failure, compare=compare, ROOT=ROOT, TESTS=TESTS)
    for name in ("cli", "harm", "checkpoints", "data", "reference.check", "examples", "docs", "library", "memory"):
        if (TESTS / (name.replace(".", "/") + ".py")).exists():
            module = __import__(name, fromlist=["tests"])
            yield from module.tests(build, tools)


def all_tests(builds):
    for build in builds:
        yield from criterion(build, "unit_tests")
        yield from criterion(build, "runtime_tests")
        for suite in (diagnostics, parse, ir, programs, module_tests):
            yield from suite(build)


def report(name, test):
    """Runs one test; (cases passed, cases failed, text)."""
    try:
        count = test()
        return (count if isinstance(count, int) else 1), 0, ""
    except Failure as failure:
        return 0, 1, f"FAILED {name}\n{failure}\n"
    except Exception as error:  # a broken test is a failing test
        return 0, 1, f"FAILED {name}\n{type(error).__name__}: {error}\n"


def main():
    global UPDATE
    arguments = sys.argv[1:]
    strange = [a for a in arguments if a.startswith("-") and a not in ("--update", "--release-only")]
    if strange:
        print(__doc__)
        return 0 if strange[0] in ("-h", "--help") else 2
    UPDATE = "--update" in arguments
    builds = ["release"] if "--release-only" in arguments or UPDATE else list(BUILDS)
    words = [a for a in arguments if not a.startswith("--")]
    chosen = [(n, t) for n, t in all_tests(builds) if not words or any(w in n for w in words)]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for good, bad, text in pool.map(lambda item: report(*item), chosen):
            passed, failed = passed + good, failed + bad
            if text:
                print(text, flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
