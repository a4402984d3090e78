"""Makes the pictures of the documentation from the library itself. Needs Graphviz; the site does not.

python docs/pictures/make.py
"""

import subprocess
from pathlib import Path

import numrnn as nr
from numrnn.drawing import Box, Drawing
from numrnn.equations.derive import Program
from numrnn.recurrent import Cell

HERE = Path(__file__).parent


def phases(cell: Cell) -> Drawing:
    """Return what a cell's equations were taken apart into, in the order in which it runs."""
    program: Program = cell.program()
    picture = Drawing([Box("x", "x, all steps", "input")])
    for group in program.groups:
        if any(argument is program.input for argument in group.maps[0].arguments):
            names = ", ".join(m.name for m in group.maps)
            picture.boxes.append(
                Box(f"input{group.index}", f"input part of {names}\nbefore the loop", "all steps at once")
            )
            picture.arrows.append(("x", f"input{group.index}", ""))
    last = ""
    for level in range(program.depth + 1):
        for k, product in enumerate(program.products):
            if product.group.level == level:
                names = ", ".join(m.name for m in product.group.maps)
                what = product.argument.name if product.argument in program.states else f"what {last} gave"
                box = Box(f"product{k}", f"product {k + 1}: {names}\nwith {what}", "one fused loop")
                picture.boxes.append(box)
                if last:
                    picture.arrows.append((last, box.name, ""))
                if any(argument is program.input for argument in product.group.maps[0].arguments):
                    picture.arrows.append((f"input{product.group.index}", box.name, ""))
                last = box.name
        for index, block in enumerate(program.blocks):
            if block.level == level:
                operations = ", ".join(dict.fromkeys(v.name for v in block.nodes))
                picture.boxes.append(
                    Box(f"block{index}", f"block{index}, every channel\n{operations}", "one fused loop")
                )
                picture.arrows.append((last, f"block{index}", ""))
                last = f"block{index}"
    picture.boxes.append(Box("new", f"new {', '.join(cell.states)}", "output"))
    picture.arrows += [(last, "new", ""), ("new", "product0", "next step")]
    return picture


def write(picture: Drawing, name: str) -> None:
    """Write a picture as SVG without what differs from one Graphviz to the next."""
    path = HERE / f"{name}.svg"
    text = subprocess.run(["dot", "-Tsvg"], input=picture.to_dot(), text=True, capture_output=True, check=True).stdout
    path.write_text(text[text.index("<svg") :], encoding="utf-8")


def main() -> None:
    """Make all of them."""
    write(phases(nr.GRU(64, 128)), "phases_gru")
    language_model = nr.Sequential(nr.LookupTable(80, 64), nr.FastLSTM(64, 256), nr.Linear(256, 80), nr.LogSoftMax())
    recurrent = nr.Recurrent(10, nr.LookupTable(100, 10), nr.Linear(10, 10), nr.Sigmoid())
    tutorial = nr.Sequential(recurrent, nr.Linear(10, 100), nr.LogSoftMax())
    for name, module in (("plan_language_model", language_model), ("plan_recurrent", tutorial)):
        nr.Sequencer(module).draw(HERE / f"{name}.svg")
        text = (HERE / f"{name}.svg").read_text(encoding="utf-8")
        (HERE / f"{name}.svg").write_text(text[text.index("<svg") :], encoding="utf-8")
    x = nr.Input("x")
    h = nr.Tanh()(nr.Linear(4, 6)(x)).annotate("hidden")
    y = nr.CAddTable()([nr.Linear(4, 2)(x), nr.Linear(6, 2)(h)])
    write(nr.Graph(x, y).drawing(), "graph")


if __name__ == "__main__":
    main()
