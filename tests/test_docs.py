"""The documentation: its programs run and print what it says, and the reference names everything that is public."""

import contextlib
import inspect
import io
import re
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

import numrnn as nr
from docs import cells

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")]


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.mark.parametrize("page", CODE, ids=names(CODE))
def test_the_programs_of_a_page_run_and_print_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    text, printed, last = page.read_text(encoding="utf-8"), "", 0
    for block in BLOCK.finditer(text):
        kind, content = block.groups()
        if kind == "python":
            line = text.count("\n", 0, block.start()) + 1
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile("\n" * line + content, str(page), "exec"), namespace)
            printed, last = out.getvalue(), block.end()
        elif kind == "text" and not text[last : block.start()].strip():
            assert printed == content


def public_names() -> set[str]:
    """Return the names of all classes and functions that users are given, without `numrnn.`."""
    own = {name for name, value in vars(nr).items() if not name.startswith("_") and not inspect.ismodule(value)}
    own |= {f"optim.{name}" for name in nr.optim.__all__}
    for room in ("testing", "interop.safetensors", "interop.torch"):
        module = nr
        for part in room.split("."):
            module = getattr(module, part)
        functions = inspect.getmembers(module, inspect.isfunction)
        is_own = {name: value.__module__.startswith(module.__name__) for name, value in functions}
        own |= {f"{room}.{name}" for name in is_own if is_own[name] and not name.startswith("_")}
    return own


def test_everything_public_is_in_the_reference():
    documented = set()
    for page in (DOCS / "api").glob("*.md"):
        documented |= set(re.findall(r"^::: numrnn\.(\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert public_names() <= documented


def test_everything_that_equations_may_use_is_in_the_reference():
    page = (DOCS / "api" / "equations.md").read_text(encoding="utf-8")
    functions = dict(inspect.getmembers(nr.equations, inspect.isfunction))
    assert [name for name in functions if not re.search(rf"equations\.{name}\b|`{name}\(", page)] == []


def test_the_page_of_all_cells_has_each_of_them_with_its_code_and_formulas():
    page = SimpleNamespace(file=SimpleNamespace(src_uri="cells.md"))
    _, *parts = re.split(r"^## ", cells.on_page_markdown("", page), flags=re.MULTILINE)
    of_library = {c.__name__ for c in vars(nr).values() if isinstance(c, type) and issubclass(c, nr.Cell)} - {"Cell"}
    assert {part.partition("\n")[0] for part in parts} >= of_library
    for part in parts:
        cell = getattr(nr, part.partition("\n")[0])(4, 6)
        assert "def equations(self, x, h" in part
        assert cell.explain() in part
        formulas = ElementTree.fromstring(re.search(r"<math.*</math>", part)[0])
        lefts = {"".join(row[0].itertext()) for row in formulas.iter("mtr")}
        assert {f"{state}t" for state in cell.states} <= lefts


def test_every_page_is_in_the_navigation():
    navigation = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    assert navigation == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


def test_every_picture_is_there_and_small():
    for page in DOCS.glob("*.md"):
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert 0 < (page.parent / picture).stat().st_size < 128_000


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_a_page_names_no_folder_of_one_machine(page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"""(?<![\w.~/])/(?:home|mnt|opt|root|tmp|usr|var|work)/\S+""", text) == []
