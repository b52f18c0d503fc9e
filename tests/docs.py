"""The documentation: every ```nn block is a program, or declarations, that nnc accepts."""
import re
import tempfile


def tests(build, tools):
    for page in sorted([tools.ROOT / "README.md", *(tools.ROOT / "docs").glob("*.md"), *(tools.ROOT / "examples").glob("*/*.md")]):
        text = page.read_text()
        for block in re.finditer(r"^```nn\n(.*?)^```", text, re.M | re.S):
            line = text.count("\n", 0, block.start()) + 2

            def accepted(program=block.group(1)):
                with tempfile.NamedTemporaryFile("w", suffix=".nn") as file:
                    file.write(program)
                    file.flush()
                    tools.must([tools.nnc(build), "check", file.name])
            yield f"docs/{page.name}:{line} {build}", accepted
