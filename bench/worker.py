#!/usr/bin/env python3
"""A peer at work: `worker.py WORKLOAD PEER THREADS` does step after step and prints lines as our programs do with --metrics; see contestant.py."""
import json
import os
import sys
import time

INTERVAL = 0.02  # seconds between two lines, about


def maker(peer):
    """The function (workload, threads) -> step of a peer."""
    if peer in ("eager", "compiled"):
        import torch_peer
        return getattr(torch_peer, peer)
    if peer == "jax":
        import jax_peer
        return jax_peer.make
    import onnx_peer
    return getattr(onnx_peer, peer)


def main():
    name, peer, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print isn't ours
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import numpy
    from workload import all_workloads
    workload = all_workloads()[name]
    step = maker(peer)(workload, threads)
    extra = {}
    if peer == "eager":
        from torch_peer import count_flops
        extra["flops"] = count_flops(step)
    step()
    step()  # some are compiled anew for what the first gave
    done, every, since = 0, 1, time.perf_counter()
    while True:
        before = time.perf_counter()
        for _ in range(every):
            result = step()
        result = float(numpy.asarray(result).flat[0])  # what was only begun is done by then
        now = time.perf_counter()
        done += every
        print(json.dumps({"step": done, "time": now - since, "result": result} | extra), file=lines)
        extra = {}
        if now - before < INTERVAL / 2:
            every *= 2


main()
