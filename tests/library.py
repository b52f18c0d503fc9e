"""docs/stdlib.md is what the library's doc comments say: `run.py --update library` writes it, the test is that it is so."""
import re

HEAD = """# The library

Modules written in .nn, part of the compiler. Semantics, defaults and parameter layouts are PyTorch's; saved weights load by name in both directions. This page is made
from the comments in `stdlib/`: `python3 tests/run.py --release-only --update library` writes it anew.
"""


def signature(text, start):
    """The text from `start` to the `=` or `{` behind it that stands in no brackets, on one line."""
    depth, at = 0, start
    while depth or not (text.startswith((" = ", " {", " =\n", "\n"), at)):
        depth += (text[at] in "([") - (text[at] in ")]")
        at += 1
    return re.sub(r"\s+", " ", text[start:at])


def comment(lines, at):
    """The paragraphs of the ## lines above line `at`."""
    first = at
    while first and lines[first - 1].strip().startswith("##"):
        first -= 1
    said = [line.strip()[2:].strip() for line in lines[first:at]]
    return [part.replace("\n", " ") for part in "\n".join(said).split("\n\n") if part]


def head(lines):
    """What a module's file begins with, and how many lines that is."""
    last = next((i for i, line in enumerate(lines) if not line.startswith("##")), len(lines))
    return comment(lines, last), last


def members(body):
    """A model's parameters by their names in files, and its methods: forward, start, step, and those that have a comment."""
    lines, parameters, methods, offset = body.split("\n"), [], [], 0
    for at, line in enumerate(lines):
        found = re.match(r"\s+(?:if [^{]*\{ )?param (\w+): ", line)
        if found:
            label = re.search(r' as "([^"]*)"', line)
            kind = signature(body, offset + found.end())
            parameters.append(f"`{label.group(1) if label else found.group(1)}: {kind}`")
        found = re.match(r"\s+fn (\w+)", line)
        if found:
            said = " ".join(comment(lines, at))
            name = found.group(1)
            if said or name in ("forward", "start", "step"):
                shown = signature(body, offset + found.start(1))
                methods.append(f"`{shown}`{': ' + said if said else ''}")
        offset += len(line) + 1
    return parameters, methods


def declarations(text):
    """{name: what the page says of it}, in order."""
    lines, skip = text.split("\n"), head(text.split("\n"))[1]
    entries, offset = {}, 0
    for at, line in enumerate(lines):
        found = re.match(r"(fn|model|optimizer) (\w+)", line)
        if found and at >= skip:
            kind, name = found.groups()
            shown = signature(text, offset + found.start(2))
            if kind == "optimizer":
                shown = shown.replace("(", "(net, ", 1).replace("(net, )", "(net)")
            said = "\n\n  ".join(comment(lines, at))
            entry = f"- **`{shown}`**{' ' + said if said else ''}\n"
            if kind == "model":
                end = text.find("\n}\n", offset)
                parameters, methods = members(text[offset:end if end >= 0 else len(text)])
                entry += f"  - parameters: {', '.join(parameters)}\n" if parameters else ""
                entry += "".join(f"  - {method}\n" for method in methods)
            entries[name] = entry
        offset += len(line) + 1
    return entries


def page(folder):
    """The page; modules that another one passes on are its sections."""
    text = HEAD
    for path in sorted(folder.glob("*.nn")):
        source = path.read_text()
        text += f"\n## `{path.stem}`\n" + "".join(f"{part}\n\n" for part in head(source.split("\n"))[0])
        own = declarations(source)
        text += "".join(own.values())
        for module, names in re.findall(r"^from (\S+) import (.*)$", source, re.M) if not own else []:
            part = (folder / f"{module.replace('.', '/')}.nn").read_text()
            said, _ = head(part.split("\n"))
            title, _, rest = said[0].partition(". ") if said else (module, "", "")
            paragraphs = [p for p in [rest, *said[1:]] if p]
            entries = declarations(part)
            text += f"\n### {title.rstrip('.')}\n" + "".join(f"{p}\n\n" for p in paragraphs)
            text += "".join(entries[name] for name in names.split(", ") if name in entries)
        inner = [f"{path.stem}.{part.stem}" for part in sorted((folder / path.stem).glob("*.nn"))]
        for module in inner:  # those that nobody passes on are imported by themselves
            if not re.search(rf"^from {module} import", source, re.M):
                part = (folder / f"{module.replace('.', '/')}.nn").read_text()
                text += f"\n### `{module}`\n" + "".join(f"{said}\n\n" for said in head(part.split("\n"))[0])
                text += "".join(declarations(part).values())
    return text


def tests(build, tools):
    yield f"library {build}", lambda: tools.compare(tools.ROOT / "docs" / "stdlib.md", page(tools.ROOT / "stdlib"))
