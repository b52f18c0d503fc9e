#!/usr/bin/env python3
"""Gradients through random loops that fill and read tables: against finite differences, and the executable against the interpreter.

    tests/fuzz_tables.py FIRST COUNT [--nnc PATH] [--keep DIR]

Whatever the tape keeps of a table, the whole or what was read of it, the gradient is the same. Programs that fail are kept in DIR and named. Not a part of the
tests: a program takes a second or two.
"""
import random
import sys

from fuzz_nets import main

COMPARED = {"f64": (1e-6, None)}


class Tables:
    """One program: `f` fills tables in loops; its derivatives by `w`, first and second, are compared to differences of what they derive."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        pick = self.rng.choice
        self.steps, self.columns, self.across = pick([1, 2, 3, 5]), pick([1, 2, 3, 8]), pick([2, 3])
        self.count = 0

    def row(self):
        return self.rng.choice(["t", "t", "t + 1", f"{self.steps} - t", "t + 2", "0", "-1"])

    def read(self):
        """A row of `columns` numbers."""
        pick, row = self.rng.choice, self.row
        return pick([f"a[{row()}]", f"a[{row()}] * w", f"tanh(a[{row()}])", "h", f"a[{row()}, :1] + h", f"a[t:t + 2][{pick('01')}]", f"b[{row()}] * h",
                     "sum(a[t:t + 2], axis=0)", f"c[:, {pick(['t', 't + 1'])}]"])

    def number(self):
        pick, row = self.rng.choice, self.row
        return pick([f"b[{row()}]", f"sum({self.read()})", f"b[{row()}] * w", f"max(a[{row()}])", f"sum(b[t:t + 2])", "acc", "sin(w)"])

    def statement(self):
        pick, columns = self.rng.choice, self.columns
        self.count += 1
        name = f"v{self.count}"
        return pick([
            lambda: [f"a[t + 1] = tanh({self.read()} * w + {self.read()})"],
            lambda: [f"a[t + 2] = sin({self.read()}) + {self.read()} * 0.5"],
            lambda: [f"a[t + 1, 1:] = ({self.read()})[:{columns - 1}] * w"],
            lambda: [f"a[t + 1] += {self.read()} * 0.3"],
            lambda: [f"let {name} = a[t + 1]", f"a[t + 1] = {name} * {self.read()} * 0.5"],
            lambda: [f"b[t + 1] = sin({self.number()} * 0.5) + {self.number()} * 0.1"],
            lambda: [f"b[t + 2] = {self.number()} * 0.3"],
            lambda: [f"c[:, t + 1] = tanh({self.read()})"],
            lambda: [f"if t % 2 == 0 {{ a[t + 1] = cos({self.read()}) }} else {{ b[t + 1] = sin({self.number()}) }}"],
            lambda: [f"h = tanh(h * w + {self.read()})"],
            lambda: [f"acc = sin(acc + {self.number()})"],
            lambda: ["acc += sum(a ** 2) * 0.01"],
            lambda: [f"for j in 0..{self.across} {{", "    g[t + 1, j + 1] = tanh(g[t, j] + g[t + 1, j] * w + g[t, j + 1] * 0.3)", f"    acc += g[t, j] * {self.number()} * 0.1",
                     "}"],
            lambda: [f"for j in 0..{self.across} {{ g[t, j] = sin(g[t, j + 1] * w + {self.number()} * 0.2) }}"],
            lambda: [f"var {name} = 0", f"while {name} < {self.across} {{", f"    b[{name} + 1] = tanh(b[{name}] * w + {self.number()} * 0.1)", f"    {name} += 1", "}"],
        ])()

    def loop(self):
        body = [line for _ in range(self.rng.randint(1, 4)) for line in self.statement()]
        return [f"for t in 0..{self.rng.choice([self.steps, 'n'])} {{", *("    " + line for line in body), "}"]

    def source(self):
        rows, columns = self.steps + 3, self.columns
        lines = [f"var a: float[{rows}, {columns}] = (sin(float(range({rows * columns}))) * 0.5).reshape({rows}, {columns})", f"var b: float[{rows}] = cos(float(range({rows})))",
                 f"var c: float[{columns}, {rows}] = full(0.2)", f"var g: float[{rows}, {self.across + 1}] = full(0.1)", f"var h: float[{columns}] = full(0.4)",
                 "var acc = 0.0"]
        for _ in range(self.rng.choice([1, 1, 2])):
            lines += self.loop()
        lines.append("return sum(a * a) + sum(b) * 0.5 + sum(c ** 3) + sum(g) + sum(h) + acc + w ** 3")
        body = ["let w = 0.37", "let first = grad(f(w, n), w)", "let second = grad(first, w)", "let e = 1e-5",
                "let slope = (f(w + e, n) - f(w - e, n)) / (2 * e)", "let bend = (grad_of(w + e, n) - grad_of(w - e, n)) / (2 * e)",
                'print(first, second)', 'check(abs(first - slope) < 1e-6 * (1 + abs(slope)), "first derivative {first}, slope {slope}")',
                'check(abs(second - bend) < 1e-6 * (1 + abs(bend)), "second derivative {second}, slope {bend}")']
        return "\n".join(["fn f(w: float, n: int) -> float {", *("    " + line for line in lines), "}", "fn grad_of(w: float, n: int) -> float = grad(f(w, n), w)", "",
                          f"command main(n: int = {self.steps}) {{", *("    " + line for line in body), "}", ""])


if __name__ == "__main__":
    sys.exit(main(__doc__, lambda seed: Tables(seed).source(), COMPARED, "--verify"))
