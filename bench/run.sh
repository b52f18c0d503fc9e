#!/usr/bin/env bash
# Every benchmark, or those named: `training` (a training step against PyTorch), `contract` (matrix products against OpenBLAS and the machine's peak).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

peers() { # a virtual environment with the peers, made once
    if [ ! -x build/bench-venv/bin/python ]; then
        python3 -m venv build/bench-venv
        build/bench-venv/bin/pip install --quiet torch==2.13.0 numpy
    fi
}

training() { peers; build/bench-venv/bin/python bench/training.py; }
contract() {
    # OpenBLAS 0.3.21 takes its AVX2 kernels for CPUs that it doesn't know.
    if grep -qw avx512vl /proc/cpuinfo; then export OPENBLAS_CORETYPE=SKYLAKEX; fi
    cmake --build build --target contract-bench -- --quiet && build/bin/contract-bench
}

[ $# -gt 0 ] || set -- contract training
for name in "$@"; do
    case "$name" in
        training | contract) echo "== $name"; "$name" ;;
        *) echo "bench/run.sh: no benchmark '$name' (there are: training, contract)" >&2; exit 2 ;;
    esac
done
