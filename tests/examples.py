"""The examples: Fashion-MNIST in full with the release build; every example at least compiles with both."""
import re
import tempfile

FASHION = "/usr/share/datasets/fashion-mnist"


def tests(build, tools):
    for path in sorted((tools.ROOT / "examples").glob("*/*.nn")):
        def compiles(path=path):
            with tempfile.TemporaryDirectory() as work:
                tools.must([tools.nnc(build), "build", "-O0", "--verify", str(path), "-o", f"{work}/program"])
                out, _ = tools.must([f"{work}/program", "--help"])
                if "--seed" not in out:
                    raise tools.Failure(out)
        yield f"examples/{path.name} compiles {build}", compiles

    def fashion():
        with tempfile.TemporaryDirectory() as work:
            tools.must([tools.nnc(build), "build", str(tools.ROOT / "examples/fashion/fashion.nn"), "-o", f"{work}/fashion"])
            trained, err = tools.must([f"{work}/fashion", "train", f"--dir={FASHION}", "--epochs=2"], cwd=work)
            tested, _ = tools.must([f"{work}/fashion", "test", f"--dir={FASHION}"], cwd=work)
        last = re.findall(r"([\d.]+)% of unseen", trained)
        again = re.findall(r"accuracy: ([\d.]+)%", tested)
        if len(last) != 2 or err or float(last[-1]) < 83 or again != last[-1:]:
            raise tools.Failure(f"{trained}{tested}{err}")
    if build == "release":
        yield f"examples/fashion trains {build}", fashion
