"""Drawings: boxes and arrows as Mermaid and Graphviz text."""

import html
import re
import shutil
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr
from numrnn.drawing import STYLES, Box, Drawing
from numrnn.graph import Graph, Input

PIECES = [*"ab \n\"'<>[](){}|&;#\\`-=/%é→", "&lt;", "\\N", "\\n", "#35;"]
LABELS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


def example():
    boxes = [Box("a", 'say "a < b"', "input"), Box("b", "Linear(4 -> 6)\n[all]", "one fused loop")]
    return Drawing(boxes, [("a", "b", ""), ("b", "b", "next | step")])


def test_mermaid_text():
    assert example().to_mermaid() == (
        "flowchart TD\n"
        '    a(["say #quot;a #lt; b#quot;"])\n'
        "    style a fill:#f4f4f4,stroke:#8a8a8a,color:#222\n"
        '    b["Linear(4 -#gt; 6)<br/>[all]"]\n'
        "    style b fill:#fbe9dd,stroke:#b3441e,color:#222\n"
        "    a --> b\n"
        '    b -->|"next | step"| b\n'
    )


def test_dot_text():
    assert example().to_dot().splitlines()[3:] == [
        r'    a [shape=box, style="rounded,filled", label="say \"a < b\"", fillcolor="#f4f4f4", color="#8a8a8a"]',
        r'    b [shape=box, style="filled", label="Linear(4 -> 6)\n[all]", fillcolor="#fbe9dd", color="#b3441e"]',
        "    a -> b",
        '    b -> b [label="next | step"]',
        "}",
    ]


@settings(deadline=None, max_examples=200)
@given(label=LABELS)
def test_no_label_breaks_out_of_the_mermaid_text(label):
    text = Drawing([Box("a", label)], [("a", "a", label)] if label else []).to_mermaid()
    lines = text.splitlines()
    shown = re.fullmatch(r'    a\["([^"`\\]*)"\]', lines[1])[1]
    assert unescaped(shown) == label
    if label:
        assert lines[3] == f'    a -->|"{shown}"| a'
    assert len(lines) == 3 + bool(label)


def unescaped(text):
    """Return what a Mermaid label shows: `#name;` and `#number;` stand for the characters of HTML."""
    assert re.sub("<br/>", "", text).isprintable()
    assert "<" not in text.replace("<br/>", "")
    assert "&" not in text
    return re.sub(
        r"#(\w+);|<br/>",
        lambda m: html.unescape(f"&#{m[1]};" if m[1].isdigit() else f"&{m[1]};") if m[1] else "\n",
        text,
    )


@needs_dot
@settings(deadline=None)
@given(label=LABELS.filter(str.strip))
def test_graphviz_shows_the_label_as_it_is(tmp_path_factory, label):
    path = tmp_path_factory.mktemp("drawing") / "picture.svg"
    Drawing([Box("a", label)]).write(path)
    lines = [element.text or "" for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]
    shown = [" ".join(line.split()) for line in label.split("\n")]
    assert [" ".join(line.split()) for line in lines if line.split()] == [line for line in shown if line]


@pytest.mark.parametrize("kind", STYLES)
def test_every_kind_of_box_has_a_style(kind):
    picture = Drawing([Box("a", "text", kind)])
    _, fill, border = STYLES[kind]
    assert f"style a fill:{fill},stroke:{border}" in picture.to_mermaid()
    assert f'fillcolor="{fill}", color="{border}"' in picture.to_dot()


@pytest.mark.parametrize("name", ["picture.mmd", "picture.DOT"])
def test_text_files_need_no_program(tmp_path, name, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    picture = Drawing([Box("a", "é → b")])
    picture.write(tmp_path / name)
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert text == (picture.to_mermaid() if name.endswith("mmd") else picture.to_dot())


@needs_dot
@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_pictures_are_made_by_graphviz(tmp_path, kind, start):
    example().write(tmp_path / f"picture.{kind}")
    assert (tmp_path / f"picture.{kind}").read_bytes().startswith(start)


def test_without_graphviz_pictures_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(RuntimeError, match=r"picture\.png needs the program `dot` of Graphviz"):
        example().write(tmp_path / "picture.png")
    assert not list(tmp_path.iterdir())


@needs_dot
def test_what_graphviz_complains_about_is_passed_on(tmp_path):
    with pytest.raises(RuntimeError, match=r"could not write .*picture\.svg: .*No such file"):
        example().write(tmp_path / "nowhere" / "picture.svg")


def test_other_file_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"got 'picture\.jpg'; expects a name ending in \.svg, \.png"):
        example().write(tmp_path / "picture.jpg")


# ---- of graphs ---------------------------------------------------------------------------------------------------


def graph_example():
    x, unused = Input("words"), Input()
    h = nr.Linear(2, 2)(x).annotate('the "hidden"')
    return Graph([x, unused], [nr.CAddTable()([h, x]), h])


def test_the_mermaid_text_shows_every_node_and_every_arrow():
    text = graph_example().to_mermaid()
    lines = [line.strip() for line in text.splitlines() if " style " not in line]
    assert lines == [
        "flowchart TD",
        'input0(["words"])',
        'input1(["input"])',
        'node2["the #quot;hidden#quot;<br/>Linear(2 -#gt; 2)"]',
        'node3["CAddTable()"]',
        'output0(["output 0"])',
        'output1(["output 1"])',
        "input0 --> node2",
        "node2 --> node3",
        "input0 --> node3",
        "node3 --> output0",
        "node2 --> output1",
    ]
    assert graph_example().draw() == text


def test_the_dot_text_shows_every_node_and_every_arrow():
    text = graph_example().to_dot()
    assert r'label="the \"hidden\"\nLinear(2 -> 2)"' in text
    arrows = [line.strip() for line in text.splitlines() if " -> " in line and "label" not in line]
    assert arrows == [
        "input0 -> node2",
        "node2 -> node3",
        "input0 -> node3",
        "node3 -> output0",
        "node2 -> output1",
    ]


def test_draw_writes_the_text_to_a_file(tmp_path):
    graph = graph_example()
    assert graph.draw(tmp_path / "graph.mmd") == graph.to_mermaid()
    assert (tmp_path / "graph.mmd").read_text(encoding="utf-8") == graph.to_mermaid()
    graph.draw(str(tmp_path / "graph.dot"))
    assert (tmp_path / "graph.dot").read_text(encoding="utf-8") == graph.to_dot()


def test_a_graph_in_a_sequencer_is_drawn_with_its_nodes():
    x, y, inner = Input(), Input(), Input()
    copies = Graph(inner, inner)(x).annotate("a name without a box")
    graph = Graph([x, y], nr.CAddTable()([nr.LSTM(2)(copies).annotate("memory"), y]))
    text = nr.Sequencer(graph).draw()
    assert "a name without a box" not in text
    assert "memory<br/>LSTM(2 -#gt; 2)" in text
    assert "next step" in text
    three = nr.ConcatTable(nr.Tanh(), nr.Tanh(), nr.Tanh())
    a, b = Input(), Input()
    text = nr.Sequencer(nr.Sequential(three, Graph(a, nr.CAddTable()(a)))).draw()
    assert sum("--> stage4" in line for line in text.splitlines()) == 3
    with pytest.raises(ValueError, match="expects a table of 2 inputs"):
        nr.Sequential(three, Graph([a, b], a)).forward(np.ones(2))
