"""The results as markdown: what each workload takes, and how the peers compare."""
import math

PEERS = {"eager": "PyTorch", "compiled": "torch.compile", "jax": "JAX", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "iree": "IREE"}


def duration(seconds):
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            value = seconds / scale
            return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def ratio(theirs, ours):
    return f"{theirs / ours:.2f}" if theirs else "–"


def row(cells):
    return "| " + " | ".join(cells) + " |\n"


def head(cells):
    return row(cells) + row(["---"] * len(cells))


def peers_of(measured):
    return {name: side["seconds"] for name, side in measured["sides"].items() if name in PEERS}


def share(measured):
    """Of what the machine does at most."""
    limit = measured["sides"].get("peak")
    if not limit or not measured["work"]:
        return "–"
    return f"{100 * measured['work'] * limit['seconds'] / measured['sides']['nnc']['seconds']:.0f}%"


def times(results):
    names = [name for name in PEERS if any(name in m["sides"] for m in results)]
    text = head(["workload", "threads", "nnc", "of peak", *(PEERS[name] for name in names)])
    for measured in results:
        ours, peers = measured["sides"]["nnc"]["seconds"], peers_of(measured)
        best = min(peers.values(), default=0)
        cells = []
        for name in names:
            cell = ratio(peers.get(name), ours)
            cells.append(f"**{cell}**" if peers.get(name) == best else cell)
        text += row([measured["title"], str(measured["threads"]), duration(ours), share(measured), *cells])
    return text


def geometric_mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else 0


# What is averaged: kind of workload, peers and what they are called, by what options of ours
MEANS = (("training", "the better of PyTorch's two", ("eager", "compiled"), False), ("training", "JAX", ("jax",), False),
         ("generation", "the fastest peer", tuple(PEERS), False), ("inference", "the fastest peer", tuple(PEERS), False), ("inference", "the fastest peer", tuple(PEERS), True))


def lead(measured, names):
    """How many times as long the fastest of these peers takes; 0 where none was measured."""
    return min((seconds for name, seconds in peers_of(measured).items() if name in names), default=0) / measured["sides"]["nnc"]["seconds"]


def means(results):
    """Lines with the mean of the ratios over each kind of workload; where programs were built with options, too, also with what is best for each."""
    text = ""
    for kind, rival, names, optional in MEANS:
        of_kind = [m for m in results if m["kind"] == kind]
        if optional and all(m["base"] == m["name"] for m in of_kind):
            continue
        for threads in sorted({m["threads"] for m in of_kind}):
            leads = {}
            for measured in of_kind:
                if measured["threads"] == threads and (optional or measured["base"] == measured["name"]):
                    leads[measured["base"]] = max(lead(measured, names), leads.get(measured["base"], 0))
            found = [value for value in leads.values() if value]
            if found:
                text += row([kind + ", best options" * optional, rival, str(threads), f"{geometric_mean(found):.2f}", f"{min(found):.2f}"])
    return head(["kind", "compared to", "threads", "geometric mean", "least"]) + text


def compiled(results):
    """What our compiler takes and makes."""
    text = head(["workload", "compile, s", "executable, KB", "start, ms"])
    for measured in results:
        text += row([measured["title"], f"{measured['compile']:.2f}", f"{measured['size'] / 1e3:.0f}", f"{1e3 * measured['start']:.1f}"])
    return text


def each_side(results, title, text_of):
    """A table of one figure of every side."""
    names = ["nnc", *(name for name in PEERS if any(name in m["sides"] for m in results))]
    text = head([title, "nnc", *(PEERS[name] for name in names[1:])])
    for measured in results:
        sides = measured["sides"]
        text += row([measured["title"], *(text_of(sides[name]) if name in sides else "–" for name in names)])
    return text


def markdown(results, about):
    fewest = min((m["threads"] for m in results), default=0)
    once = [m for m in results if m["threads"] == fewest]
    tables = [times(results), means(results), compiled(once), each_side(once, "memory, MB", lambda side: f"{side['memory'] / 1e6:.0f}"),
              each_side(once, "to the first step, s", lambda side: f"{side['first']:.1f}")]
    return f"{about}\n\nTimes of the peers are multiples of nnc's, the fastest in bold.\n\n" + "\n".join(tables)
