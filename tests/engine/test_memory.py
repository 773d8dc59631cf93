"""How much memory is free, and when a device is done."""

import time
from types import SimpleNamespace

import pytest
import torch

from headstart.engine import _memory, device_time, free_memory


def test_free_memory_of_a_processor_is_what_linux_calls_available(tmp_path, monkeypatch):
    monkeypatch.setattr(_memory, "_MEMINFO", tmp_path / "meminfo")
    assert free_memory("cpu") is None
    (tmp_path / "meminfo").write_text("MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    3145728 kB\n")
    assert free_memory("cpu") == 3072.0
    (tmp_path / "meminfo").write_text("MemTotal:       16000000 kB\n")
    assert free_memory("cpu") is None
    assert free_memory("mps") is None


def test_free_memory_of_a_gpu_counts_what_torch_holds_unused(monkeypatch):
    facts = {"mem_get_info": (100 * 2**20, 900 * 2**20), "memory_reserved": 50 * 2**20, "memory_allocated": 20 * 2**20}
    for name, value in facts.items():
        monkeypatch.setattr(torch.cuda, name, lambda _device, value=value: value)
    assert free_memory("cuda:0") == 130.0


@pytest.mark.parametrize(("device", "expected"), [("cuda:0", ["cuda"]), ("mps", ["mps"]), ("cpu", [])])
def test_the_clock_is_read_once_the_device_is_done(device, expected, monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _device: waited.append("cuda"))
    monkeypatch.setattr(torch, "mps", SimpleNamespace(synchronize=lambda: waited.append("mps")))
    before = time.perf_counter()
    assert before <= device_time(device) <= time.perf_counter()
    assert waited == expected
