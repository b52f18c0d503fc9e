"""The examples, and the programs that are measured (bench/workloads). Examples at least compile with both builds; what their READMEs show in `console` blocks is run
with the release build and compared: the words exactly, numbers to a tenth, since the last digits depend on the CPU and training makes much of them.
Fashion-MNIST runs in full."""
import os
import re
import shlex
import tempfile

FASHION = "/usr/share/datasets/fashion-mnist"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def sessions(readme):
    """The commands of the `console` blocks of a README, in order, with the output shown below each."""
    for block in re.findall(r"^```console\n(.*?)^```", readme, re.M | re.S):
        for shown in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = shown.partition("\n")
            yield command, output


def near(shown, seen):
    a, b = float(shown), float(seen)
    return abs(a - b) <= 0.1 * max(abs(a), abs(b)) + 0.01


def alike(shown, seen):
    numbers = NUMBER.findall(shown), NUMBER.findall(seen)
    same_words = NUMBER.sub("#", shown).split() == NUMBER.sub("#", seen).split()
    return same_words and all(near(*pair) for pair in zip(*numbers))


def run_readme(tools, build, folder):
    """Each example has a folder of its own to write in; its files are seen there under their own names."""
    with tempfile.TemporaryDirectory() as work:
        for file in folder.iterdir():
            os.symlink(file, f"{work}/{file.name}")
        for command, shown in sessions((folder / "README.md").read_text()):
            words = shlex.split(command)
            if words[0] == "nnc":
                words[0] = tools.nnc(build)
            seen, err = tools.must(words, cwd=work)
            if not alike(shown, seen) or err:
                raise tools.Failure(f"$ {command}\n{seen}{err}\nThe README shows:\n{shown}")


def tests(build, tools):
    for path in sorted((tools.ROOT / "examples").glob("*/*.nn")):
        def compiles(path=path):
            with tempfile.TemporaryDirectory() as work:
                tools.must([tools.nnc(build), "build", "-O0", "--verify", str(path), "-o", f"{work}/program"])
                out, _ = tools.must([f"{work}/program", "--help"])
                if "--seed" not in out:
                    raise tools.Failure(out)
        yield f"examples/{path.name} compiles {build}", compiles

    for path in sorted((tools.ROOT / "bench/workloads").glob("*.nn")):
        yield f"bench/{path.name} is accepted {build}", lambda path=path: tools.must([tools.nnc(build), "check", str(path)])

    if build != "release":
        return
    for readme in sorted((tools.ROOT / "examples").glob("*/README.md")):
        yield f"examples/{readme.parent.name} does what its README shows {build}", lambda folder=readme.parent: run_readme(tools, build, folder)

    def fashion():
        with tempfile.TemporaryDirectory() as work:
            tools.must([tools.nnc(build), "build", str(tools.ROOT / "examples/fashion/fashion.nn"), "-o", f"{work}/fashion"])
            trained, err = tools.must([f"{work}/fashion", "train", f"--dir={FASHION}", "--epochs=2"], cwd=work)
            tested, _ = tools.must([f"{work}/fashion", "test", f"--dir={FASHION}"], cwd=work)
        last = re.findall(r"([\d.]+)% of unseen", trained)
        again = re.findall(r"accuracy: ([\d.]+)%", tested)
        if len(last) != 2 or err or float(last[-1]) < 83 or again != last[-1:]:
            raise tools.Failure(f"{trained}{tested}{err}")
    yield f"examples/fashion trains {build}", fashion
