"""Datasets and weights from files, as programs see them: compiled and interpreted, what they print and how they refuse."""
import os
import struct
import tempfile

PROGRAM = """
import data

model Norm(width: int) {
    param weight: float[width] = ones()
    state running_mean: float[width] = zeros()
    state num_batches_tracked: int = 0
    fn count() { num_batches_tracked += 1 }
}
model Net(width: int) {
    norms = [Norm(width) for i in 0..2]
}

command table(path: string, label: string = "", columns: string = "", header: bool = true, separator: string = ",", missing: string = "") {
    let d: dataset(float[2], u8) = data.csv(path, label, columns, header, separator, missing)
    for (x, y) in d.batch(2) { print("{x} {y}") }
}
command columns(path: string) {
    let d: dataset(bool, float, i16) = data.csv(path)
    for (a, b, c) in d { print("{a} {b} {c}") }
}
command arrays(x: string, y: string) {
    let d: dataset(float[2], int) = data.npy(x, y)
    for (a, b) in d.batch(2) { print("{a} {b}") }
}
command wide(n: int) {
    let d: dataset(float[n]) = data.csv("t.csv", columns=if n == 2 { "width,height" } else { "1" })
    for x in d.batch(2) { print("{x}") }
}
command images(labels: string = "") {
    let d: dataset(i16[2]) = data.idx("i.idx", labels)
    for x in d { print("{x}") }
}
command views(n: int = 2, take: int = 5, skip: int = 0, windows: int = 1, sample: int = 1, repeat: int = 1, part: float = 0.5) {
    let all: dataset(u8) = data.bytes("bytes")
    let d = all.take(take).skip(skip)
    let (a, b) = d.windows(windows).repeat(repeat).split(part)
    print("{a.len} {b.len} {d.sample(sample).len}")
    if n > 5 { check(a.batch(n).len == 1) }
    for x in a.batch(n) { print("{x}") }
}
command save3(path: string = "w") {
    var net = Net(3)
    net.norms[1].count()
    net.norms[1].weight = float(range(3)) / 3
    save(net, path)
}
command load3(path: string = "w") {
    var net = Net(3)
    load(net, path)
    print("{net.norms[1].num_batches_tracked} {net.norms[1].weight:.6f}")
}
command load4(path: string = "w") {
    var net = Net(4)
    load(net, path)
    print("{net.norms[0].weight}")
}
command load_norm(path: string = "w") {
    var norm = Norm(3)
    load(norm, path)
    print("{norm.weight}")
}
"""

TABLE = "height,width,kind\n1,2,setosa\n3,4,aster\n5,6,setosa\n"
TABLE_OUT = "[[1. 2.]\n [3. 4.]] [1 0]\n[[5. 6.]] [1]\n"

# (arguments, exit status, all that is printed)
RUNS = [
    (["table", "--path=t.csv"], 0, TABLE_OUT),
    (["table", "--path=t.csv", "--columns=width,height", "--label=kind"], 0, "[[2. 1.]\n [4. 3.]] [1 0]\n[[6. 5.]] [1]\n"),
    (["table", "--path=s.csv", "--separator=;", "--no-header", "--missing=0"], 0, "[[1. 0.]] [3]\n"),
    (["table", "--path=s.csv", "--separator=;"], 1,
     "cannot read the dataset: `s.csv` has numbers in its first row, where the names of the columns are expected: give `header=false` if it has none"),
    (["table", "--path=t.csv", "--label=sort"], 1, "cannot read the dataset: `t.csv` has no column `sort` among its 3: `height`, `width`, `kind`"),
    (["table", "--path=k.csv"], 1, "line 2, column 3 (`kind`): expected u8, found `5.0`"),
    (["table", "--path=m.csv"], 1, "line 3, column 3 (`kind`): expected a name, as in the column's first row, found `5.0`"),
    (["columns", "--path=t.csv"], 1, "cannot read the dataset: `t.csv`, line 3, column 1 (`height`): expected bool (0, 1, true or false), found `3`"),
    (["columns", "--path=c.csv"], 0, "true 0.5 -300\nfalse 1.0 300\n"),
    (["arrays", "--x=x.npy", "--y=y.npy"], 0, "[[0. 1.]\n [2. 3.]] [7 8]\n[[4. 5.]] [9]\n"),
    (["arrays", "--x=y.npy", "--y=y.npy"], 1, "cannot read the dataset: `y.npy` holds samples of type i64, the program declares"),
    (["arrays", "--x=x.npy", "--y=none.npy"], 1, "cannot read the dataset: `none.npy`: No such file or directory"),
    (["wide", "--n=2"], 0, "[[2. 1.]\n [4. 3.]]\n[[6. 5.]]\n"),
    (["wide", "--n=1"], 0, "[[2.]\n [4.]]\n[[6.]]\n"),
    (["wide", "--n=3"], 1, "cannot read the dataset: `t.csv`: 1 column is chosen, the program declares 3"),
    (["images"], 0, "[258  -1]\n"),
    (["images", "--labels=i.idx"], 1, "a dataset of 1 column needs 1 file, not 2"),
    (["views"], 0, "2 3 1\n[[97]\n [98]]\n"),
    (["views", "--windows=2", "--repeat=2", "--n=9", "--part=1"], 0,
     "8 0 1\n[[ 97  98]\n [ 98  99]\n [ 99 100]\n [100 101]\n [ 97  98]\n [ 98  99]\n [ 99 100]\n [100 101]]\n"),
    (["views", "--take=0", "--sample=0", "--windows=1"], 1, "windows of 1 samples don't fit into a dataset of 0"),
    (["views", "--take=100", "--skip=4"], 0, "0 1 1\n"),
    (["views", "--repeat=0"], 0, "0 0 1\n"),
    (["views", "--n=0"], 1, "batches must have at least one sample, not 0"),
    (["views", "--n=9223372036854775807"], 0, "2 3 1\n[[97]\n [98]]\n"),
    (["views", "--n=-3"], 1, "batches must have at least one sample, not -3"),
    (["views", "--take=-1"], 1, "the number of samples can't be negative, and is -1"),
    (["views", "--skip=-1"], 1, "the number of samples can't be negative, and is -1"),
    (["views", "--windows=0"], 1, "windows must have at least one sample, not 0"),
    (["views", "--windows=6"], 1, "windows of 6 samples don't fit into a dataset of 5"),
    (["views", "--windows=-9223372036854775808"], 1, "windows must have at least one sample, not -9223372036854775808"),
    (["views", "--windows=9223372036854775807"], 1, "windows of 9223372036854775807 samples don't fit into a dataset of 5"),
    (["views", "--sample=-1"], 1, "the number of samples can't be negative, and is -1"),
    (["views", "--repeat=-1"], 1, "a dataset can't be repeated -1 times"),
    (["views", "--part=1.5"], 1, "a dataset is split at a fraction from 0 to 1, not at 1.5"),
    (["views", "--part=nan"], 1, "a dataset is split at a fraction from 0 to 1, not at nan"),
    (["save3"], 0, ""),
    (["load3"], 0, "1 [0.000000 0.333333 0.666667]\n"),
    (["load4"], 1, "`norms.0.weight` is f32[3] in the file but f32[4] in the program, `norms.0.running_mean` is"),
    (["load_norm"], 1, "holds another model: it lacks `weight`, `running_mean`, `num_batches_tracked`; the program has no `norms.0."),
    (["load3", "--path=none"], 1, "cannot load the weights: `none`: No such file or directory"),
    (["load3", "--path=t.csv"], 1, "cannot load the weights: `t.csv` is no safetensors file"),
]


def npy(descr, shape, elements):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + elements


FILES = {
    "t.csv": TABLE.encode(),
    "s.csv": b"1;;3\n",
    "k.csv": b"height,width,kind\n1,2,5.0\n3,4,10.0\n",
    "m.csv": b"height,width,kind\n1,2,aster\n3,4,5.0\n",
    "c.csv": b"\xef\xbb\xbfa,\"b, c\",d\r\nTrue,.5,-300\r\n0,1e0,300\r\n",
    "i.idx": bytes([0, 0, 11, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 255, 255]),
    "bytes": b"abcde",
    "x.npy": npy("<f8", "(3, 2)", struct.pack("<6d", *range(6))),
    "y.npy": npy(">i8", "(3,)", struct.pack(">3q", 7, 8, 9)),
    "program.nn": PROGRAM.encode(),
}


def check(tools, command, status, shown, work):
    got, out, err = tools.run(command, cwd=work)
    good = got == status and (out == shown and err == "" if status == 0 else shown in err and err.count("\n") <= 2)
    if not good:
        raise tools.Failure(f"exit status {got}, expected {status}: {command}\n{out}{err}\nexpected:\n{shown}")

COUNT = """
import data
command main(path: string) {
    let d = data.bytes(path)
    var total = 0
    for x in d.batch(1000) { total += sum(x) }
    print("{d.len} bytes, {total} in all")
}
"""


def tests(build, tools):
    def prepare(work):
        for name, contents in FILES.items():
            with open(os.path.join(work, name), "wb") as file:
                file.write(contents)

    def compiled():
        with tempfile.TemporaryDirectory() as work:
            prepare(work)
            tools.must([tools.nnc(build), "build", "program.nn", "-o", "program"], cwd=work)
            for arguments, status, shown in RUNS:
                check(tools, ["./program", *arguments], status, shown, work)
        return len(RUNS)
    yield f"data/compiled {build}", compiled

    def interpreted():
        with tempfile.TemporaryDirectory() as work:
            prepare(work)
            for arguments, status, shown in RUNS:
                check(tools, [tools.nnc(build), "run", "--interpret", "program.nn", "--", *arguments], status, shown, work)
        return len(RUNS)
    yield f"data/interpreted {build}", interpreted

    def widths():
        """Weights and arrays keep their values between programs of any working precision."""
        with tempfile.TemporaryDirectory() as work:
            prepare(work)
            for wide in ("f64", "f32", "bf16", "f16"):
                tools.must([tools.nnc(build), "build", f"--float={wide}", "program.nn", "-o", wide], cwd=work)
                check(tools, [f"./{wide}", "arrays", "--x=x.npy", "--y=y.npy"], 0, "[[0. 1.]\n [2. 3.]] [7 8]\n[[4. 5.]] [9]\n", work)
                check(tools, [f"./{wide}", "table", "--path=t.csv"], 0, TABLE_OUT, work)
                check(tools, [f"./{wide}", "save3", f"--path=w-{wide}"], 0, "", work)
            third = "1 [0.000000 0.333333 0.666667]\n"
            check(tools, ["./f64", "load3", "--path=w-f32"], 0, third, work)
            check(tools, ["./f32", "load3", "--path=w-f64"], 0, third, work)
            check(tools, ["./f16", "load3", "--path=w-f64"], 0, "1 [0.000000 0.333252 0.666504]\n", work)
            check(tools, ["./f64", "load3", "--path=w-bf16"], 0, "1 [0.000000 0.333984 0.667969]\n", work)
    yield f"data/widths {build}", widths

    def readers():
        """A program holds the readers of its formats and no others."""
        with tempfile.TemporaryDirectory() as work:
            prepare(work)
            with open(os.path.join(work, "count.nn"), "w") as file:
                file.write(COUNT)
            for source, held in (("count.nn", {"bytes"}), ("program.nn", {"idx", "npy", "bytes", "csv"})):
                tools.must([tools.nnc(build), "build", "-g", source, "-o", "program"], cwd=work)
                with open(os.path.join(work, "program"), "rb") as file:
                    symbols = file.read()
                found = {format for format in ("idx", "npy", "bytes", "csv") if b"nn_reader_" + format.encode() in symbols}
                if found != held or (b"inflate" in symbols) != ("idx" in held):
                    raise tools.Failure(f"{source} holds readers of {found}")
    yield f"data/readers {build}", readers

    def pipes():
        """Data that comes through a pipe, from whoever writes when it likes, is what a file would be."""
        with tempfile.TemporaryDirectory() as work:
            prepare(work)
            with open(os.path.join(work, "count.nn"), "w") as file:
                file.write(COUNT)
            with open(os.path.join(work, "large"), "wb") as file:
                file.write(bytes(range(256)) * 1000)
            os.mkfifo(os.path.join(work, "pipe"))
            tools.must([tools.nnc(build), "build", "program.nn", "-o", "program"], cwd=work)
            tools.must([tools.nnc(build), "build", "count.nn", "-o", "count"], cwd=work)
            for line, status, shown in (
                    ("cat t.csv | ./program table --path=/dev/stdin", 0, TABLE_OUT),
                    ("./program table --path=/dev/stdin < t.csv", 0, TABLE_OUT),
                    ("(sleep 0.2; cat t.csv) > pipe & ./program table --path=pipe", 0, TABLE_OUT),
                    ("cat x.npy | ./program arrays --x=/dev/stdin --y=y.npy", 0, "[[0. 1.]\n [2. 3.]] [7 8]\n[[4. 5.]] [9]\n"),
                    ("(cat large; sleep 0.2; cat large) | ./count --path=/dev/stdin", 0, "512000 bytes, 65280000 in all\n"),
                    ("cat large | TMPDIR=/none ./count --path=/dev/stdin", 1,
                     "error: count.nn:4:13: cannot read the dataset: `/dev/stdin`: what comes through this pipe goes to a temporary file in "
                     "`/none`, which cannot be written: No such file or directory (set TMPDIR to a folder with room)\n"),
                    (": | ./count --path=/dev/stdin", 1,
                     "error: count.nn:4:13: cannot read the dataset: `/dev/stdin`: nothing came through this pipe\n")):
                check(tools, ["sh", "-c", line], status, shown, work)
    yield f"data/pipes {build}", pipes
