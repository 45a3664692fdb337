"""Put what `facecond reproduce` made into docs/paper.md: `python -m benchmarks.paper [WORKSPACE]`, after the tables and figures.

Each table stands between `<!-- table5 -->` and `<!-- end -->`, each figure between `<!-- figure2 -->` and `<!-- end -->`, its
picture in docs/pictures; the words around them are written by hand. What was not made keeps what it says.
"""

import argparse
import re
import time
from pathlib import Path

from PIL import Image

from facecond.config.compose import quoted

DOCS = Path(__file__).parent.parent / "docs"

BLOCK = re.compile(r"(?<=<!-- )((?:table|figure)\d+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

WIDEST = 1200
"""Pixels of a picture's width in docs."""


def table(folder: Path) -> str:
    """A table as `reproduce` wrote it, without the paths of the machine."""
    text = (folder / "table.md").read_text(encoding="utf-8").partition("\n")[2].strip()
    text = re.sub(r"^## ", "### ", text, flags=re.MULTILINE)
    (command,) = re.findall(r"^- Command: (.*)$", text, flags=re.MULTILINE)
    kept = " ".join(word for word in command.split() if not word.startswith("workspace="))
    text = text.replace(f"- Command: {command}\n", "")
    text = re.sub(r"pack \S*/([^/\s]+)", r"pack \1", text)
    made = time.strftime("%Y-%m-%d", time.gmtime((folder / "table.md").stat().st_mtime))
    return f"\n    {kept.replace('paper=', '')}\n\nMade on {made}.\n\n{text}\n\n"


def figure(name: str, folder: Path, pictures: Path) -> str:
    """A figure's command and picture; the picture is copied, as JPEG."""
    picture = Image.open(folder / "figure.png", formats=("PNG",)).convert("RGB")
    picture.thumbnail((WIDEST, picture.height))
    picture.save(pictures / f"{name}.jpg", quality=85)
    made = time.strftime("%Y-%m-%d", time.gmtime((folder / "figure.png").stat().st_mtime))
    scale = folder.name.partition("-")[2]
    words = f"facecond reproduce {name}" + ("" if scale == "demo" else f" scale={quoted(scale)}")
    return f"\n    {words}\n\nMade on {made}.\n\n![{name}](pictures/{name}.jpg)\n\n"


def fill(text: str, made: Path, scale: str, pictures: Path) -> str:
    """The document with each block as what was made says it."""

    def block(found: re.Match[str]) -> str:
        name, head = found.groups()
        folder = made / f"{name}-{scale}"
        if name.startswith("table"):
            return f"{name}{head}{table(folder)}" if (folder / "table.md").is_file() else found.group()
        return f"{name}{head}{figure(name, folder, pictures)}" if (folder / "figure.png").is_file() else found.group()

    return BLOCK.sub(block, text)


def main() -> None:
    """Read the words and fill the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", nargs="?", default="outputs")
    parser.add_argument("--scale", default="demo")
    options = parser.parse_args()
    page = DOCS / "paper.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(
        fill(text, Path(options.workspace) / "reproduced", options.scale, DOCS / "pictures"), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
