"""Shows the formulas of docstrings as plain text, so that the site needs no script to draw them."""

import re
import textwrap

import griffe

SIGNS = {
    r"\beta": "\N{GREEK SMALL LETTER BETA}",
    r"\sigma": "\N{GREEK SMALL LETTER SIGMA}",
    r"\sum": "\N{N-ARY SUMMATION}",
    r"\frac1N": "1/N",
    r"\tanh": "tanh",
    r"\|": "\N{DOUBLE VERTICAL LINE}",
    r"\,": "·",
    "&=": "=",
}
BLOCK = re.compile(r"\.\. math::((?:[ \t]+\S.*\n?|\n)+)")
INLINE = re.compile(r":math:`([^`]*)`")


def readable(formula: str) -> str:
    """Return TeX as text."""
    for sign, text in SIGNS.items():
        formula = formula.replace(sign, text)
    formula = re.sub(r"_\{([A-Za-z])([a-z])\}", r"_\1\2", formula)  # W_{xf}
    formula = re.sub(r"_\{([^}]*)\}", r"_(\1)", formula)  # h_{t-1}
    return "\n".join(line.rstrip("\\ ") for line in formula.splitlines())


def block(match: re.Match) -> str:
    """Return a formula block as fenced text."""
    return f"```text\n{readable(textwrap.dedent(match[1])).strip()}\n```\n\n"


class Formulas(griffe.Extension):
    """Rewrites the docstrings that the reference pages are made from."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = INLINE.sub(lambda m: f"`{readable(m[1])}`", BLOCK.sub(block, obj.docstring.value))
