"""Where results come from: the commit of the code, and the versions of what decides the numbers."""

import os
import platform
import re
import subprocess
from pathlib import Path


def revision() -> str | None:
    """Commit of the checkout the program runs from; None when it does not run from one."""
    root = Path(__file__).resolve().parent.parent.parent
    if not (root / ".git").exists():
        return None
    answer = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores",
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def machine() -> str:
    """Cores and name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), flags=re.MULTILINE) if cpuinfo.is_file() else []
    return f"{os.cpu_count()} cores of {names[0].strip() if names else platform.processor() or platform.machine()}"
