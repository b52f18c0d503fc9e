#!/usr/bin/env python3
"""Random loops over parts of tensors, with weights that stay, grow or are trained: the executable against the interpreter.

    tests/fuzz_loops.py FIRST COUNT [--nnc PATH] [--keep DIR]

What leaves a loop, what is laid out before it and what is written by its steps must be right for every way in
which an iteration can name its part: one index, a range, of another axis, backwards, by an inner loop's index,
less than a slice.
Programs that fail are kept in DIR and named. Not a part of the tests: a program takes a second or two.
"""
import random
import sys

from fuzz_nets import main

COMPARED = {"f64": (1e-6, None), "f32": (1e-2, None)}


class Loops:
    """One program: lines of a loop, or of two, over the parts of `data`, `flat`, `turned` and `images`."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        pick = self.rng.choice
        self.parts, self.inner = pick([3, 4, 5]), pick([2, 3])
        self.rows, self.depth, self.columns = pick([1, 3, 5, 16, 20, 49]), pick([8, 16, 24, 33, 48, 64]), pick([16, 20, 32, 48, 64])
        self.channels, self.outputs, self.side = pick([3, 16, 32, 64]), pick([8, 16, 32, 48]), pick([5, 7, 8])
        self.nested = pick([False, False, True])
        self.phases = 0

    def index(self):
        return self.rng.choice(["i", f"(i + j) % {self.parts}", "j"] if self.nested else ["i", f"{self.parts - 1} - i"])

    def part(self):
        """A matrix of rows x depth."""
        index, rows = self.index(), self.rows
        return self.rng.choice([f"data[{index}]", f"data[{index}:{index} + 1].reshape({rows}, {self.depth})", f"(data[{index}] * 2 - 1)",
                                f"flat[({index}) * {rows}:({index}) * {rows} + {rows}]", f"turned[:, {index}].T"])

    def weights(self, up):
        """Of depth x columns, or of columns x depth."""
        grows, stays, other = ("w", "cw", "u") if up else ("u", "cu", "w")
        return self.rng.choice([grows, stays, f"{other}.T", f"c{other}.T", f"{grows} * 0.5"])

    def picture(self):
        index = self.index()
        return f"images[{index}:{index} + 1]"

    def some(self):
        """Some of the rows."""
        return max(self.rows // 2, 1)

    def statement(self, name):
        choose, part = self.rng.choice, self.part
        return choose([
            lambda: [f"h = tanh(h * 0.5 + {part()} @ {self.weights(True)})"],
            lambda: [f"acc += sum(tanh(({part()} @ {self.weights(True)}) @ {self.weights(False)}))"],
            lambda: [f"out[{self.index()}] = tanh({part()} @ {self.weights(True)} + h)"],
            lambda: [f"gw = gw * 0.5 + {part()}.T @ {choose(['h', f'out[{self.index()}]'])}"],
            lambda: [f"acc += sum(tanh(nn.conv2d({self.picture()}, {choose(['f', 'cf'])}, padding={choose([0, 1])}, stride={choose([1, 1, 2])})))"],
            lambda: [f"let {name} = nn.softmax({part()} @ {part()}.T) @ {part()}", f"acc += sum({name} * {name})"],
            lambda: [f"let {name} = mean(tanh({part()} @ w) ** 2)", f"gw = gw + grad({name}, w)"],
            lambda: [f"if {self.index()} % 2 == 0 {{", f"    w = tanh(w + {part()}.T @ h)", "} else {", f"    acc += sum(tanh({part()} @ {self.weights(True)}))", "}"],
            lambda: [f"buffer[{self.index()}] = tanh(({part()} @ {self.weights(True)}) @ {self.weights(False)})",
                     f"acc += sum(buffer[{self.index()}] @ {self.weights(True)})"],
            lambda: [f"out[{self.index()}, :{self.some()}] = tanh({part()} @ {self.weights(True)})[:{self.some()}]"],
            lambda: [f"buffer[{self.index()}, :, 1:5] = {part()}[:, 2:6] * {choose(['1', '0.5'])}"],
            lambda: [f"grid[{choose(['j', 'j', '1']) if self.nested else choose('01')}, {self.index()}] = {choose([part(), f'{part()} @ {self.weights(True)} @ {self.weights(False)}'])}"],
            lambda: [f"var {name} = 0", f"while {name} < 2 {{", f"    h = tanh(h + {part()} @ {self.weights(True)})", f"    {name} += 1", "}"],
            lambda: [f"let {name} = i + 1", f"acc += sum(tanh(flat[:{name}] @ {self.weights(True)}))"],
            lambda: [f"let {name} = mean(tanh({part()} @ w) ** 2)", f"w = w - 0.5 * grad({name}, w)"],
            lambda: [f"let {name} = mean(tanh(nn.conv2d({self.picture()}, f, padding=1)) ** 2)", f"f = f - 0.5 * grad({name}, f)"],
        ])()

    def values(self, *sizes):
        """Numbers that look random and are the same for both sides."""
        self.phases += 1
        return f"sin(float(range({' * '.join(map(str, sizes))}) * 31 % 997) * {0.37 + 0.11 * self.phases:.2f}).reshape({', '.join(map(str, sizes))})"

    def source(self):
        parts, rows, depth, columns, side = self.parts, self.rows, self.depth, self.columns, self.side
        up, down, filters = (depth, columns), (columns, depth), (self.outputs, self.channels, 3, 3)
        head = [f"let data = {self.values(parts, rows, depth)}", f"let flat = {self.values(parts * rows, depth)}", f"let turned = {self.values(depth, parts, rows)}",
                f"let images = {self.values(parts, self.channels, side, side)}", f"let cw = {self.values(*up)} * 0.3", f"let cu = {self.values(*down)} * 0.3",
                f"let cf = {self.values(*filters)} * 0.1", f"var w = {self.values(*up)} * 0.3", f"var u = {self.values(*down)} * 0.3",
                f"var f = {self.values(*filters)} * 0.1", f"var h = zeros({rows}, {columns})", f"var out = zeros({parts}, {rows}, {columns})", "var buffer = data",
                f"var grid = zeros({max(self.inner, 2)}, {parts}, {rows}, {depth})",
                f"var gw = zeros({depth}, {columns})", "var acc = 0.0"]
        body = [line for k in range(self.rng.randint(2, 5)) for line in self.statement(f"v{k}")]
        body += self.rng.sample(["w = w * 0.9", "u = u * 1.1", "f = f * 1.05"], self.rng.randint(0, 2))
        loop = [f"for j in 0..{self.inner} {{", *("    " + line for line in body), "}"] if self.nested else body
        tail = ["print(sum(h), sum(out), sum(gw), sum(buffer), sum(grid), sum(w * w), sum(u * u), sum(f * f), h[0, 1], out[1, 0, 2], gw[2, 3])"]
        lines = [*head, f"for i in 0..{parts} {{", *("    " + line for line in loop), "    print(acc)", "}", *tail]
        return "\n".join(["import nn", "", "command main() {", *("    " + line for line in lines), "}", ""])


if __name__ == "__main__":
    sys.exit(main(__doc__, lambda seed: Loops(seed).source(), COMPARED, "--verify"))
