"""Makes stars.csv: 900 invented stars, by formulas that hold roughly for real ones. Rounded to what a catalogue gives, so that the file is the same everywhere."""
import math
import random

SUN = 5772  # surface temperature, kelvin
draw = random.Random(1911)  # Hertzsprung's year


def star(kind):
    """(temperature, radius in suns)"""
    if kind == "main":  # burns hydrogen: mass says everything
        mass = 10 ** draw.uniform(-0.6, 0.8)
        return SUN * mass**0.55 * draw.uniform(0.95, 1.05), mass**0.8 * draw.uniform(0.9, 1.2)
    if kind == "giant":  # has burnt it, and has swollen
        return draw.uniform(3400, 5600), 10 ** draw.uniform(0.5, 2)
    return draw.uniform(5000, 25000), draw.uniform(0.008, 0.02)  # a white dwarf: what is left of it


rows = []
for i in range(900):
    kind = draw.choices(["main", "giant", "dwarf"], [5, 3, 2])[0]
    temperature, radius = star(kind)
    luminosity = radius**2 * (temperature / SUN) ** 4  # Stefan and Boltzmann
    distance = 10 ** draw.uniform(0.7, 2.3)  # parsecs
    magnitude = 4.74 - 2.5 * math.log10(luminosity) + 5 * math.log10(distance / 10) + draw.gauss(0, 0.15)
    # Ballesteros' formula, solved for the colour index B - V by bisection
    low, high = -1.0, 4.0
    for _ in range(50):
        colour = (low + high) / 2
        if 4600 * (1 / (0.92 * colour + 1.7) + 1 / (0.92 * colour + 0.62)) > temperature:
            low = colour
        else:
            high = colour
    colour = "" if draw.random() < 0.02 else f"{colour + draw.gauss(0, 0.05):.2f}"  # not measured
    rows.append(f'"{chr(65 + i % 26)}, {i // 26 + 1}",{1000 / distance * draw.gauss(1, 0.03):.2f},{magnitude:.2f},{colour},{kind}')

with open("stars.csv", "w", newline="") as file:
    file.write("star,parallax,magnitude,colour,kind\n" + "\n".join(rows) + "\n")
