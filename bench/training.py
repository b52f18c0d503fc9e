#!/usr/bin/env python3
"""Time of a training step of the two-layer perceptron (batch 64, AdamW, Fashion-MNIST), nnc against PyTorch, interleaved: ours, peer, ours, peer…;
medians of the runs. A run's time a step is the difference between a long and a short run, so start-up and reading of files cancel out.

    training.py [--runs N] [--threads 1,2]"""
import argparse
import gzip
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
SAMPLES, BATCH = 60000, 64
STEPS = (SAMPLES + BATCH - 1) // BATCH


def ours(program, threads):
    def seconds(epochs):
        start = time.perf_counter()
        subprocess.run([program, f"--epochs={epochs}", f"--threads={threads}"], check=True, capture_output=True)
        return time.perf_counter() - start
    return (seconds(4) - seconds(1)) / (3 * STEPS)


def load():
    import numpy
    import torch
    images = numpy.frombuffer(gzip.open(DATA / "train-images-idx3-ubyte.gz").read(), numpy.uint8, offset=16)
    labels = numpy.frombuffer(gzip.open(DATA / "train-labels-idx1-ubyte.gz").read(), numpy.uint8, offset=8)
    return torch.from_numpy(images.reshape(-1, 28, 28).copy()), torch.from_numpy(labels.copy())


def peer(kind, images, labels):
    """A function that trains one epoch with PyTorch and returns the seconds a step."""
    import torch
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True if kind != "eager" else None)
    loss_of = torch.nn.CrossEntropyLoss()

    def forward(x, y):
        return loss_of(net(x.float() / 255), y.long())
    if kind == "compiled":
        forward = torch.compile(forward)

    def epoch():
        order = torch.randperm(SAMPLES)
        start = time.perf_counter()
        for first in range(0, SAMPLES, BATCH):
            chosen = order[first:first + BATCH]
            optimizer.zero_grad()
            forward(images[chosen], labels[chosen]).backward()
            optimizer.step()
        return (time.perf_counter() - start) / STEPS
    return epoch


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", default="1,2")
    options = parser.parse_args()
    import torch
    images, labels = load()
    with tempfile.TemporaryDirectory() as work:
        program = f"{work}/mlp"
        start = time.perf_counter()
        subprocess.run([ROOT / "build/bin/nnc", "build", ROOT / "bench/mlp.nn", "-o", program], check=True)
        print(f"compile time {time.perf_counter() - start:.2f} s, executable {pathlib.Path(program).stat().st_size // 1024} KB, "
              f"PyTorch {torch.__version__}")
        for threads in map(int, options.threads.split(",")):
            torch.set_num_threads(threads)
            peers = {kind: peer(kind, images, labels) for kind in ("eager", "fused AdamW")}
            for epoch in peers.values():
                epoch()
            times = {name: [] for name in ("nnc", *peers)}
            for _ in range(options.runs):
                times["nnc"].append(ours(program, threads))
                for name, epoch in peers.items():
                    times[name].append(epoch())
            mine = statistics.median(times["nnc"])
            for name, values in times.items():
                middle = statistics.median(values)
                print(f"{threads} thread(s)  {name:12} {1e6 * middle:8.1f} us a step  (min {1e6 * min(values):.1f}, max {1e6 * max(values):.1f})"
                      f"  {middle / mine:5.2f}x nnc's time")
                sys.stdout.flush()


main()
