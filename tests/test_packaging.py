"""The list of packages in setup.cfg is what is on disk; the lowest layers load nothing heavy."""

import configparser
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_folder_is_a_listed_package() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    listed = set(parser["options"]["packages"].split())
    code = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "facecond").rglob("__init__.py")}
    conf = {
        "facecond." + ".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "conf").rglob("__init__.py")
    }
    assert listed == code | conf


def test_every_other_file_is_package_data() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    patterns = " ".join(parser["options.package_data"].values()).replace(",", " ").split()
    files = [path for room in ("facecond", "conf") for path in (ROOT / room).rglob("*") if path.is_file()]
    others = [path for path in files if path.suffix not in (".py", ".pyc")]
    assert ROOT / "facecond" / "reports" / "page.html.jinja" in others
    assert [path for path in others if not any(path.match(pattern) for pattern in patterns)] == []


def test_the_package_loads_nothing_until_it_is_asked_for() -> None:
    program = (
        "import sys, facecond\n"
        "heavy = {'torch', 'numpy', 'hydra', 'omegaconf', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert 'workspace' in facecond.open.__doc__\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_help_and_configuration_load_nothing_heavy() -> None:
    program = (
        "import sys; from facecond.cli import main\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'PIL', 'hydra', 'omegaconf', 'scipy', 'skimage', 'lpips'}\n"
        "heavy |= {'tensorboard', 'matplotlib', 'cleanfid'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from facecond.config.compose import compose; compose('train', [])\n"
        "import facecond.faces.labels, facecond.faces.attributes\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
