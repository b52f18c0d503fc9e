"""PyTorch, eager and compiled. A workload's `torch` gives one of the descriptions below; a peer makes a function of it that does one step and returns a tensor."""
import dataclasses
import itertools
from collections.abc import Callable, Iterator

import torch

from workload import stepper


@dataclasses.dataclass
class Training:
    net: torch.nn.Module
    loss: Callable  # (net, *batch) -> loss
    batches: Iterator  # of tuples of numpy arrays
    optimizer: dict = dataclasses.field(default_factory=dict)  # of AdamW
    clip: float = 0


@dataclasses.dataclass
class Inference:
    net: torch.nn.Module
    inputs: list  # numpy arrays; with `feedback` only the first is used, then what the network gave
    feedback: bool = False


@dataclasses.dataclass
class Recurrence:
    """A token after the other; places go round."""
    eager: Callable  # (token, place) -> token
    compiled: Callable  # the same, with shapes that don't depend on the place
    token: torch.Tensor
    places: int


def convolutional(net):
    return any(isinstance(module, torch.nn.Conv2d) for module in net.modules())


def train(work, compile):
    net = work.net.train()
    if convolutional(net):
        net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), fused=True, **work.optimizer)
    loss_of = compile(lambda *batch: work.loss(net, *batch))

    def step():
        batch = map(torch.from_numpy, next(work.batches))
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        if work.clip:
            torch.nn.utils.clip_grad_norm_(net.parameters(), work.clip)
        optimizer.step()
        return loss.detach()
    return step


def infer(work, compile):
    net = work.net.eval()
    inputs = [torch.from_numpy(x) for x in work.inputs]
    if convolutional(net):
        net = net.to(memory_format=torch.channels_last)
        inputs = [x.to(memory_format=torch.channels_last) for x in inputs]
    forward = compile(net)
    return stepper(inputs, work.feedback, forward)


def generate(work, advance):
    token = work.token
    places = itertools.cycle(torch.tensor([t]) for t in range(work.places))

    def step():
        nonlocal token
        token = advance(token, next(places))
        return token
    return step


def make(work, compile):
    if isinstance(work, Training):
        return train(work, compile or (lambda function: function))
    torch.set_grad_enabled(False)
    if not compile:
        torch.inference_mode().__enter__()
    if isinstance(work, Inference):
        return infer(work, compile or (lambda function: function))
    return generate(work, compile(work.compiled) if compile else work.eager)


def eager(workload, threads, compile=None):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return make(workload.torch(**workload.constants), compile)


def compiled(workload, threads):
    import torch._inductor.config
    torch._inductor.config.freezing = True  # in inference, weights are laid out once
    return eager(workload, threads, torch.compile)


def count_flops(step):
    """Floating-point operations of the products and convolutions in a step."""
    from torch.utils.flop_counter import FlopCounterMode
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()
