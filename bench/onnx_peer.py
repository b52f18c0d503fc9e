"""Runtimes and compilers that take ONNX files, which PyTorch writes: ONNX Runtime, OpenVINO, IREE. Weights are those of a workload's `torch`."""
import pathlib
import subprocess
import sys

from workload import ROOT, stepper

FILES = ROOT / "build/bench-work"
TOOLS = pathlib.Path(sys.executable).parent


def exported(workload):
    """The path of a workload's network, and its inputs."""
    import torch
    torch.manual_seed(0)
    work = workload.torch(**workload.constants)
    path = FILES / f"{workload.name}.onnx"
    if not path.exists():
        example = torch.from_numpy(work.inputs[0])
        torch.onnx.export(work.net.eval(), (example,), path, dynamo=True, external_data=False, input_names=["x"], output_names=["y"])
    return path, work


def onnxruntime(workload, threads):
    import onnxruntime as ort
    path, work = exported(workload)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return stepper(work.inputs, work.feedback, lambda x: session.run(["y"], {"x": x})[0])


def openvino(workload, threads):
    import openvino
    path, work = exported(workload)
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
    request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
    return stepper(work.inputs, work.feedback, lambda x: request.infer({0: x}, share_inputs=True, share_outputs=True)[0])


def iree(workload, threads):
    import iree.runtime
    path, work = exported(workload)
    module = path.with_suffix(".vmfb")
    if not module.exists():
        graph = path.with_suffix(".mlir")
        subprocess.run([TOOLS / "iree-import-onnx", path, "-o", graph, "--opset-version", "17"], check=True)
        subprocess.run([TOOLS / "iree-compile", graph, "-o", module, "--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu",
                        "--iree-llvmcpu-target-cpu=host"], check=True)
    iree.runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
    config = iree.runtime.Config("local-sync" if threads == 1 else "local-task")
    loaded = iree.runtime.load_vm_module(iree.runtime.VmModule.mmap(config.vm_instance, str(module)), config)
    return stepper(work.inputs, work.feedback, lambda x: loaded.main_graph(x).to_host())

