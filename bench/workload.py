"""What is measured. A workload is a program in workloads/ and a description beside it, a module whose WORKLOADS lists one or more sizes of it."""
import dataclasses
import gzip
import importlib
import itertools
import pathlib
from collections.abc import Callable

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
DATA = ROOT / "build/bench-data"  # random inputs, made once
FASHION = "/usr/share/datasets/fashion-mnist"
WORDS = "/usr/share/dict/words"

TRAINING = ("eager", "compiled", "jax")
INFERENCE = (*TRAINING, "onnxruntime", "openvino", "iree")


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    title: str
    kind: str  # training, inference or generation
    program: str  # NAME.nn in workloads/
    arguments: tuple  # without --every
    every: int  # steps between two reports of the program: some 20 ms
    torch: Callable  # what torch_peer.py needs
    jax: Callable  # what jax_peer.py needs
    constants: dict = dataclasses.field(default_factory=dict)  # -D for the program, keyword arguments for the peers
    options: tuple = ()  # of `nnc build`
    base: str = ""  # the same without options, where there are some
    peers: tuple = TRAINING
    flops: float = 0  # of a step; 0: as PyTorch counts them
    bytes: float = 0  # that a step must read from memory; where this is what bounds it


def all_workloads():
    """Every workload by its name, in the order of the table."""
    modules = ("mlp", "cnn", "residual", "lstm", "gpt", "resnet", "mobilenet", "encoder", "perceptron")
    found = {}
    for module in modules:
        for workload in importlib.import_module(f"workloads.{module}").WORKLOADS:
            found[workload.name] = workload
    order = {"training": 0, "generation": 1, "inference": 2}
    return dict(sorted(found.items(), key=lambda item: order[item[1].kind]))


# --- inference
def stepper(inputs, feedback, forward):
    """A step from a function of one array: of the inputs in turn, or with `feedback` of what it gave before."""
    if not feedback:
        rounds = itertools.cycle(inputs)
        return lambda: forward(next(rounds))
    last = inputs[0]

    def step():
        nonlocal last
        last = forward(last)
        return last
    return step


# --- data, for both sides the same
def random_file(name, make):
    """The path of a .npy file that `make(generator)` gave the contents of."""
    import numpy
    path = DATA / name
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        numpy.save(path, make(numpy.random.default_rng(0)))
    return path


def normal_file(count, *shape):
    return random_file("normal-" + "x".join(map(str, (count, *shape))) + ".npy", lambda g: g.standard_normal((count, *shape), "float32"))


def token_file(vocabulary):
    return random_file(f"tokens-{vocabulary}.npy", lambda g: g.integers(0, vocabulary, 1 << 20, "int32"))


def normal_batches(count, batch, *shape):
    import numpy
    samples = numpy.load(normal_file(count, *shape))
    return [samples[first:first + batch] for first in range(0, count, batch)]


def fashion_batches(batch):
    """Batches of Fashion-MNIST's images and labels, epoch after epoch in another order."""
    import numpy
    images = numpy.frombuffer(gzip.open(f"{FASHION}/train-images-idx3-ubyte.gz").read(), numpy.uint8, offset=16).reshape(-1, 28, 28)
    labels = numpy.frombuffer(gzip.open(f"{FASHION}/train-labels-idx1-ubyte.gz").read(), numpy.uint8, offset=8)
    generator = numpy.random.default_rng(0)
    while True:
        order = generator.permutation(len(images))
        for first in range(0, len(images) - batch + 1, batch):
            chosen = order[first:first + batch]
            yield images[chosen], labels[chosen]


def window_batches(samples, batch, window):
    """Batches of pieces of a sequence, and of the same pieces one further on."""
    import numpy
    generator = numpy.random.default_rng(0)
    inside = numpy.arange(window + 1)
    while True:
        pieces = samples[generator.integers(0, len(samples) - window, (batch, 1)) + inside]
        yield pieces[:, :-1], pieces[:, 1:]
