#!/usr/bin/env python3
"""Writes formats.inc: numbers and texts in many format specs as Python writes them. Run by hand when a spec is added."""
import math
import pathlib

FLOATS = [0.0, -0.0, 1.0, 0.1, -2.5, 1 / 3, 1e16, 1e15, 123456789.125, 1e-4, 9.99e-5, 1e-5, 5e-324, 1.7976931348623157e308,
          math.inf, -math.inf, math.nan, 100.0, 12.0, 0.5, 1234567.0]
FLOAT_SPECS = ['', '8', '<8', '>12', '^11', '*^12', '.2f', '+.3f', ' .1f', '08.2f', 'e', '.3e', 'E', 'g', '.3g', '#.3g', 'G', '%', '.1%', ',', ',.2f', '012,.1f', '.3', '.1', '_', 'F', '+', '=+10.2f', 'x<10.1f', '010']
INTS = [0, 1, -1, 7, -42, 1000, 1234567, -1234567, 2**63 - 1, -2**63]
INT_SPECS = ['', 'd', '5', '<5', '^7', '05', '+', '+d', ',', 'x', 'X', '#x', 'b', '#b', 'o', '#o', '_x', '012,', 'e', '.2f', '%', ' ', '*>8', 'n', '08x', '=+6', '#010x', '.1e']
TEXTS = ['', 'hé', 'hello']
TEXT_SPECS = ['', '8', '>8', '^9', '*^9', '.2', '10.3', 's']


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(x):
    if isinstance(x, str):
        return quoted(x)
    if isinstance(x, int):
        return "INT64_MIN" if x == -2**63 else str(x)
    if math.isnan(x):
        return "NAN"
    return repr(x) if math.isfinite(x) else "INFINITY" if x > 0 else "-INFINITY"


def table(ctype, name, values, specs):
    yield f"static const struct {{ {ctype}x; const char *spec, *text; }} {name}[] = {{"
    for x in values:
        for spec in specs:
            yield f"    {{{literal(x)}, {quoted(spec)}, {quoted(format(x, spec))}}},"
    yield "};"


lines = ["/* Written by tests/runtime/make_formats.py: what Python makes of format specs. */",
         *table("double ", "float_formats", FLOATS, FLOAT_SPECS),
         *table("int64_t ", "int_formats", INTS, INT_SPECS),
         *table("const char *", "string_formats", TEXTS, TEXT_SPECS)]
pathlib.Path(__file__).with_name("formats.inc").write_text("\n".join(lines) + "\n")
