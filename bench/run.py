#!/usr/bin/env python3
"""Measures compiled programs against their peers, one workload after the other, with 1 and 2 threads; by way of `./dev bench`.

    run.py [--list] [--table] [--rounds N] [--turn SECONDS] [--threads 1,2] [--peers A,B] [--realtime] [--lock FILE] [NAME…]

All sides of a workload are processes that are stopped and take turns (contestant.py); a side's time is the median over the rounds. The machine's peak, of multiply-adds
or of reading, is one of the sides. Results go to build/bench.json, where those of earlier runs stay until their workload is run anew, and as a table to build/bench.md."""
import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

import operations
import table
from contestant import Contestant, Failure
from workload import BENCH, ROOT, all_workloads

WORK = ROOT / "build/bench-work"
RESULTS = ROOT / "build/bench.json"
PRODUCTS = "products"  # workloads of their own kind: bench/contract.c,
OPERATIONS = "operations"  # operations.py
TABLES = {PRODUCTS: "matrix products and convolutions on one thread, against OpenBLAS and oneDNN", OPERATIONS: "other operations on one thread, against PyTorch"}


def compiled(source, program, *options):
    """Compiles a program; its path."""
    subprocess.run([ROOT / "build/bin/nnc", "build", source, "-o", program, *options], check=True)
    return program


def build(workload):
    """Compiles a workload's program; (its path, seconds)."""
    constants = [f"-D{name}={str(value).lower()}" for name, value in workload.constants.items()]
    since = time.perf_counter()
    path = compiled(BENCH / f"workloads/{workload.program}.nn", WORK / workload.name, *constants, *workload.options)
    return path, time.perf_counter() - since


def start_time(program):
    """The least seconds that a program takes to start and end."""
    def once():
        since = time.perf_counter()
        subprocess.run([program, "--version"], check=True, capture_output=True)
        return time.perf_counter() - since
    return min(once() for _ in range(20))


def sides_of(workload, program, threads, options):
    """The contestants, by name, as functions that start them."""
    def start(name, command, every=1, environment=None):
        return lambda: Contestant(command, every, WORK / f"{workload.name}-{name}-{threads}.log", threads, options.realtime, environment)

    words = [program, *workload.arguments, f"--every={workload.every}", f"--threads={threads}", "--metrics=/dev/stdout"]
    sides = {"nnc": start("nnc", words, workload.every)}
    for peer in workload.peers:
        if not options.peers or peer in options.peers:
            environment = {"OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_CACHE_DIR": str(WORK / f"inductor-{threads}")}
            sides[peer] = start(peer, [sys.executable, "-B", BENCH / "worker.py", workload.name, peer, threads], environment=environment)
    limit = ["read", threads, int(workload.bytes)] if workload.bytes else ["multiply", threads]
    return sides | {"peak": start("peak", [WORK / "peak", *limit])}


@contextlib.contextmanager
def locked(path):
    """While others wait for the file."""
    if path:
        with open(path, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    else:
        yield


def measure(workload, program, threads, options):
    """What each side took: {name: {seconds, …}}, and the floating-point operations as counted."""
    sides, flops = {}, workload.flops
    try:
        for name, start in sides_of(workload, program, threads, options).items():
            try:
                sides[name] = start()
                flops = flops or sides[name].last.get("flops", 0)
            except Failure as failure:
                print(f"  {name}: {failure}", file=sys.stderr)
        if "nnc" not in sides:
            raise Failure("nothing to compare")
        seconds = {name: [] for name in sides}
        for _ in range(options.rounds):
            with locked(options.lock):
                for name, side in sides.items():
                    seconds[name].append(side.turn(options.turn))
        found = {name: {"seconds": statistics.median(all), "least": min(all), "most": max(all), "memory": sides[name].peak_memory(), "first": sides[name].first_step,
                        "last": sides[name].last} for name, all in seconds.items()}
        return found, (workload.bytes or flops) / 1e9
    finally:
        for side in sides.values():
            side.close()


def run(workload, options):
    """The results of a workload, one for each number of threads."""
    program, compiling = build(workload)
    common = {"name": workload.name, "title": workload.title, "kind": workload.kind, "compile": compiling, "size": program.stat().st_size, "start": start_time(program)}
    for threads in options.threads:
        sides, work = measure(workload, program, threads, options)
        yield common | {"threads": threads, "work": work, "sides": sides}


def products(options):
    """The table of matrix products and convolutions."""
    subprocess.run(["cmake", "--build", ROOT / "build", "--target", "contract-bench", "--", "--quiet"], check=True)
    # OpenBLAS 0.3.21 takes its AVX2 kernels for CPUs that it doesn't know.
    wide = "avx512vl" in pathlib.Path("/proc/cpuinfo").read_text().split()
    environment = {**os.environ, **({"OPENBLAS_CORETYPE": "SKYLAKEX"} if wide else {})}
    with locked(options.lock):
        return subprocess.run([ROOT / "build/bin/contract-bench"], check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout


def attempt(workload, options):
    """One that fails keeps none of the others from being measured."""
    try:
        for measured in run(workload, options):
            show(measured)
            remember(measured)
    except (subprocess.CalledProcessError, Failure) as failure:
        print(f"{workload.name}: {failure}", file=sys.stderr)


def show(measured):
    ours = measured["sides"]["nnc"]["seconds"]
    print(f"{measured['title']}, {measured['threads']} thread(s): {table.duration(ours)}, {table.share(measured)} of peak")
    for name, side in measured["sides"].items():
        if name in table.PEERS:
            print(f"  {side['seconds'] / ours:5.2f}  {table.PEERS[name]:14} {table.duration(side['seconds'])}"
                  f"  ({table.duration(side['least'])} to {table.duration(side['most'])})", flush=True)


def recorded():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def remember(measured):
    """In the place of what was measured of the same before."""
    key = lambda other: (other["name"], other["threads"])
    RESULTS.write_text(json.dumps([other for other in recorded() if key(other) != key(measured)] + [measured], indent=1))


def about():
    with open("/proc/cpuinfo") as file:
        cpu = next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    import importlib.metadata
    versions = []
    for package in ("torch", "jax", "onnxruntime", "openvino", "iree-base-compiler", "apache-tvm"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{package} {importlib.metadata.version(package)}")
    return f"{cpu}, {len(os.sched_getaffinity(0))} cores; {', '.join(versions)}."


def prepare():
    WORK.mkdir(parents=True, exist_ok=True)
    subprocess.run([os.environ.get("CC", "cc"), "-O3", "-march=native", "-pthread", BENCH / "peak.c", "-o", WORK / "peak"], check=True)


def options_of(workloads):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads (default: all)")
    parser.add_argument("--list", action="store_true", help="list the workloads")
    parser.add_argument("--table", action="store_true", help="only print the table of what was measured last")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turn", type=float, default=0.25, help="least seconds of a turn")
    parser.add_argument("--threads", type=lambda text: [int(word) for word in text.split(",")], default=[1, 2])
    parser.add_argument("--peers", type=lambda text: text.split(","), help="only these")
    parser.add_argument("--realtime", action="store_true", help="who has the turn runs before everything else on the machine, for busy ones (needs root)")
    parser.add_argument("--lock", help="file to lock for each round")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in (*workloads, *TABLES)]
    if unknown:
        parser.error(f"no workload {', '.join(unknown)} (--list lists them)")
    return options


def main():
    workloads = all_workloads()
    options = options_of(workloads)
    if options.list:
        for workload in workloads.values():
            print(f"{workload.name:16} {workload.kind}: {workload.title}")
        for name, what in TABLES.items():
            print(f"{name:16} {what}")
        return
    names = [] if options.table else options.names or [*workloads, *TABLES]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # closes the sides
    if options.realtime:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(2))
    prepare()
    for name in names:
        if name not in TABLES:
            attempt(workloads[name], options)
    order = list(workloads)
    results = sorted((m | {"base": workloads[m["name"]].base or m["name"]} for m in recorded() if m["name"] in order), key=lambda m: (order.index(m["name"]), m["threads"]))
    text = table.markdown(results, about())
    if PRODUCTS in names:
        text += "\n" + products(options)
    if OPERATIONS in names:
        with locked(options.lock):
            text += "\n" + operations.table(WORK, compiled, options.rounds)
    (ROOT / "build/bench.md").write_text(text)
    print(f"\n{text}")


main()
