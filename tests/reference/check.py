"""Compares programs of this folder with the fixtures that make.py made with PyTorch."""
import json
import math
import struct
import tempfile


def read_safetensors(path):
    """{name: (dtype, shape, values)} of a file of floats."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        raw = data[8 + length + first:8 + length + last]
        letter, size = {"F32": ("f", 4), "F64": ("d", 8), "I64": ("q", 8)}[entry["dtype"]]
        tensors[name] = (entry["dtype"], entry["shape"], struct.unpack(f"<{len(raw) // size}{letter}", raw))
    return tensors


def worst(got, expected):
    """The largest difference, relative to the expected values' magnitude as a whole."""
    scale = max(max(map(abs, expected), default=0), 1e-30)
    differences = [abs(a - b) / scale if math.isfinite(a) else math.inf for a, b in zip(got, expected)]
    return max(differences, default=0.0)


def tests(build, tools):
    here = tools.TESTS / "reference"

    def require(what, error, tolerance):
        if not error <= tolerance:
            raise tools.Failure(f"{what}: off by {error:.3g} (relative), allowed {tolerance:.3g}")

    def compiled(name, float_type, work):
        program = f"{work}/{name}"
        level = "-O3" if build == "release" else "-O0"
        tools.must([tools.nnc(build), "build", level, f"--float={float_type}", str(here / f"{name}.nn"), "-o", program])
        return program

    def same(got_path, expected_path, tolerance):
        got, expected = read_safetensors(got_path), read_safetensors(expected_path)
        if sorted(got) != sorted(expected):
            raise tools.Failure(f"tensors: {sorted(set(got) ^ set(expected))}")
        for name, (_, shape, values) in expected.items():
            if got[name][1] != shape:
                raise tools.Failure(f"{name}: shape {got[name][1]}, expected {shape}")
            require(name, worst(got[name][2], values), tolerance)
        return len(expected)

    def outputs(name, float_type, tolerance, runs):
        """What each run, (arguments, name of the fixture), writes."""
        count = 0
        with tempfile.TemporaryDirectory() as work:
            program = compiled(name, float_type, work)
            for arguments, expected in runs:
                tools.must([program, *arguments, f"--input={here}/{name}-in.safetensors", f"--out={work}/out.safetensors"])
                count += same(f"{work}/out.safetensors", here / f"{name}-{expected}.safetensors", tolerance)
        return count

    def run(*command, **sizes):
        return [*command, *(f"--{name}={size}" for name, size in sizes.items())], "-".join(map(str, sizes.values()))

    def layers(float_type, tolerance):
        return outputs("layers", float_type, tolerance, [([], "out")])

    def functions(float_type, tolerance):
        return outputs("functions", float_type, tolerance, [([], "out")])

    def recurrent(float_type, tolerance):
        """Sizes known to the compiler, and known to the run: a full batch, one sequence, one step."""
        runs = [run("main", b=b, t=t) for b, t in ((3, 5), (1, 1), (2, 1), (1, 4))]
        return outputs("recurrent", float_type, tolerance, [(["fixed"], "3-5"), *runs])

    def long(float_type, tolerance):
        """Steps known to the compiler, and known to the run."""
        runs = [run("main", steps=steps) for steps in (1, 2, 64)]
        return outputs("long", float_type, tolerance, [(["fixed"], "64"), *runs])

    def attention(float_type, tolerance):
        runs = [run(queries=queries, keys=keys) for queries, keys in ((5, 7), (1, 7), (5, 1), (2, 3))]
        return outputs("attention", float_type, tolerance, runs)

    def transformer(float_type, tolerance):
        """Likewise: sequences, queries, keys."""
        runs = [run("main", b=b, t=t, s=s) for b, t, s in ((3, 5, 4), (1, 1, 1), (2, 1, 4), (1, 4, 3))]
        return outputs("transformer", float_type, tolerance, [(["fixed"], "3-5-4"), *runs])

    def convolution(float_type, tolerance):
        """A number of samples known to the compiler, and known to the run."""
        return outputs("convolution", float_type, tolerance, [(["fixed"], "3"), run("main", b=3), run("main", b=1)])

    def same_losses(printed, expected, tolerance):
        got = [float(x) for x in printed.split()]
        if len(got) != len(expected):
            raise tools.Failure(f"{len(got)} losses, expected {len(expected)}:\n{printed}")
        for step, (a, b) in enumerate(zip(got, expected)):
            require(f"loss of step {step + 1}", abs(a - b) / abs(b), tolerance)

    def optimizers(float_type, tolerance):
        with tempfile.TemporaryDirectory() as work:
            out, _ = tools.must([compiled("optimizers", float_type, work), f"--input={here}/optimizers-in.safetensors"])
        lines = [line.split() for line in out.splitlines()]
        expected = json.loads((here / "optimizers.json").read_text())
        if len(lines) != 20 * len(expected):
            raise tools.Failure(out)
        for name, steps in expected.items():
            got = [[float(x) for x in line[1:]] for line in lines if line[0] == name]
            for number, (a, b) in enumerate(zip(got, steps)):
                require(f"{name}, step {number + 1}", worst(a, b), tolerance)
        return len(expected)

    def mlp(float_type, tolerance):
        with tempfile.TemporaryDirectory() as work:
            out, _ = tools.must([compiled("mlp", float_type, work), f"--images={here}/mlp-images.gz",
                                 f"--labels={here}/mlp-labels.gz", f"--input={here}/mlp-in.safetensors"])
        same_losses(out, json.loads((here / "mlp.json").read_text())[float_type], tolerance)

    def speller(float_type, tolerance):
        with tempfile.TemporaryDirectory() as work:
            out, _ = tools.must([compiled("speller", float_type, work), f"--text={here}/speller.txt",
                                 f"--input={here}/speller-in.safetensors"])
        same_losses(out, json.loads((here / "speller.json").read_text())[float_type], tolerance)

    def gpt(float_type, tolerance):
        """The loss curve; the logits, also of positions fed one by one with a cache."""
        given = [f"--text={here}/speller.txt", f"--input={here}/gpt-in.safetensors"]
        near = 1e-5 if float_type == "f32" else 1e-10
        expected = read_safetensors(here / "gpt-out.safetensors")
        with tempfile.TemporaryDirectory() as work:
            program = compiled("gpt", float_type, work)
            for command, names in ("logits", ("logits", "short")), ("cached", ("logits",)):
                tools.must([program, command, *given, f"--out={work}/out.safetensors"])
                got = read_safetensors(f"{work}/out.safetensors")
                for name in names:
                    require(f"{command}: {name}", worst(got[name][2], expected[name][2]), near)
            out, _ = tools.must([program, "train", *given])
        same_losses(out, json.loads((here / "gpt.json").read_text())[float_type], tolerance)

    def levels():
        """The same losses, to the last bit, at every level of optimisation."""
        curves = set()
        with tempfile.TemporaryDirectory() as work:
            for level in range(4):
                program = f"{work}/mlp{level}"
                tools.must([tools.nnc(build), "build", f"-O{level}", str(here / "mlp.nn"), "-o", program])
                out, _ = tools.must([program, f"--images={here}/mlp-images.gz", f"--labels={here}/mlp-labels.gz",
                                     f"--input={here}/mlp-in.safetensors", "--epochs=2"])
                curves.add(out)
        if len(curves) != 1:
            raise tools.Failure("losses differ between levels of optimisation")
    if build == "release":
        yield f"reference/levels {build}", levels

    for test, f32, f64 in ((layers, 1e-5, 1e-10), (functions, 1e-5, 1e-10), (recurrent, 1e-5, 1e-10), (long, 1e-5, 1e-10), (transformer, 1e-5, 1e-10), (optimizers, 1e-4, 1e-10), (mlp, 1e-3, 1e-9),
                           (speller, 1e-3, 1e-9), (attention, 1e-5, 1e-10), (gpt, 1e-3, 1e-9), (convolution, 1e-5, 1e-10)):
        yield f"reference/{test.__name__} f32 {build}", lambda test=test, f32=f32: test("f32", f32)
        yield f"reference/{test.__name__} f64 {build}", lambda test=test, f64=f64: test("f64", f64)
