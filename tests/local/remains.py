"""What a local cloud could leave behind."""

import psutil

from local import paths
from local.emulator.ministack import MEMORY_DIRECTORY
from local.lifecycle import SCRATCH_PREFIX


def remains(pid: int) -> list[str]:
    """Return scratch directories of a process, and processes that work in them."""
    name = f"{SCRATCH_PREFIX}{pid}-"
    working = {each.info["cwd"] for each in psutil.process_iter(["cwd"]) if each.info["cwd"]}
    processes = [directory for directory in working if name in directory]
    directories = [*paths.CACHE.glob(f"*/{name}*"), *MEMORY_DIRECTORY.glob(f"{name}*")]
    return [*processes, *map(str, directories)]
