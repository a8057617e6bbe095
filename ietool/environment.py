"""What ietool runs on: versions, devices, what is missing. For bug reports, so it never fails itself."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata, util
from pathlib import Path
from typing import Any

from ietool.version import __version__

DISTRIBUTION = "ietool"


def report() -> dict[str, Any]:
    """Versions, devices and missing pieces as plain data."""
    torch, torch_error = _import_torch()
    return {
        "ietool": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": _versions(),
        "devices": _devices(torch),
        "cpu": _cpu(torch),
        "missing": _missing(torch_error),
        "paths": _paths(),
    }


def _import_torch() -> tuple[Any, str]:
    try:
        import torch
    except Exception as error:  # a broken installation raises all sorts
        return None, f"{type(error).__name__}: {error}"
    return torch, ""


def _requirements() -> list[tuple[str, str | None]]:
    """(distribution, extra or None) of everything ietool asks for, from its own metadata."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return [("torch", None), ("transformers", None), ("accelerate", None), ("datasets", None)]
    found = []
    for line in lines:
        name = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"""extra\s*==\s*['"]([^'"]+)""", line)
        if name:
            found.append((name.group(), extra.group(1) if extra else None))
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _versions() -> dict[str, str | None]:
    return {name: _version(name) for name, extra in _requirements() if extra is None}


def _devices(torch: Any) -> list[dict[str, Any]]:
    devices: list[dict[str, Any]] = [{"name": "cpu", "model": _cpu_model(), "cores": os.cpu_count()}]
    try:
        if torch is not None and torch.cuda.is_available():
            for index in range(torch.cuda.device_count()):
                about = torch.cuda.get_device_properties(index)
                gib = round(about.total_memory / 2**30, 1)
                devices.append({"name": f"cuda:{index}", "model": about.name, "memory_gib": gib})
    except Exception as error:  # a driver that does not fit
        devices.append({"name": "cuda", "model": f"unusable: {error}"})
    return devices


def _cpu_model() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match.group(1) if match else platform.processor() or platform.machine()


def _cpu(torch: Any) -> dict[str, Any]:
    """``bf16`` is "amx" or "avx512" where the CPU multiplies bfloat16 in hardware, "no" or "unknown" elsewhere."""
    try:
        flags = set(re.findall(r"\b(amx_bf16|avx512_bf16|bf16)\b", Path("/proc/cpuinfo").read_text()))
        bf16 = next((short for flag, short in _BF16_FLAGS if flag in flags), "no")
    except OSError:
        bf16 = "unknown"
    cpu: dict[str, Any] = {"bf16": bf16, "threads": None, "capability": None}
    if torch is not None:
        try:
            cpu["threads"] = torch.get_num_threads()
            cpu["capability"] = torch.backends.cpu.get_cpu_capability()
        except Exception:  # an older torch
            return cpu
    return cpu


_BF16_FLAGS = (("amx_bf16", "amx"), ("avx512_bf16", "avx512"), ("bf16", "neon"))


def _missing(torch_error: str) -> list[str]:
    missing = []
    for name, extra in _requirements():
        if _version(name) is None and extra != "dev":
            mend = f"pip install 'ietool[{extra}]'" if extra else f"pip install {name}"
            missing.append(f"{name} ({'optional' if extra else 'needed'}): {mend}")
    if torch_error and util.find_spec("torch") is not None:
        missing.append(f"torch cannot be imported: {torch_error}")
    return missing


def _paths() -> dict[str, str]:
    from ietool import paths

    return {
        "package": str(paths.package_folder()),
        "shipped": str(paths.shipped_root()),
        "runs": str(paths.runs_folder().absolute()),
        "prepared": str(paths.prepared_folder().absolute()),
    }


def resident_memory() -> int:
    """Bytes of memory that this process holds now; where the system does not tell, the most it ever held."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, numpy or torch (of a GPU, or of the machine) says that the memory does not suffice."""
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))


_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory|Unable to allocate")


def free_memory() -> int | None:
    """Bytes that this process may still take, swap included; None where the system does not tell."""
    try:
        told = Path("/proc/meminfo").read_text()
        sizes = re.findall(r"^(?:MemAvailable|SwapFree):\s+(\d+) kB", told, re.MULTILINE)
        free = sum(int(kib) * 1024 for kib in sizes)
    except OSError:
        return None
    try:  # a container's limit
        folder = Path("/sys/fs/cgroup")
        most = int((folder / "memory.max").read_text()) - int((folder / "memory.current").read_text())
        # What files keep in memory is given back when it is wanted.
        kept = re.findall(r"^(?:in)?active_file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
        return min(free, max(most + sum(map(int, kept)), 0))
    except (OSError, ValueError):
        return free or None


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Within, what is more than the machine has is refused when it is asked for, where the system can; else it would be
    granted, and the process killed as it is used."""
    try:
        import resource

        data = re.search(r"^VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
        before = resource.getrlimit(resource.RLIMIT_DATA)
    except (ImportError, OSError):
        data = None
    free = free_memory()
    if data is None or free is None:
        yield
        return
    limit = int(data.group(1)) * 1024 + free
    if before[0] != resource.RLIM_INFINITY:
        limit = min(limit, before[0])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
