"""Where work runs and where it keeps things. Knows nothing about learning."""

from headstart.engine._base import Engine, Lost, Resources
from headstart.engine._device import computes_bfloat16, device_time, pick_device
from headstart.engine._local import LocalEngine, available_processors
from headstart.engine._memory import free_memory, keep_freed_memory
from headstart.engine._opening import EngineName, open_engine
from headstart.engine._places import cache_folder, whole_or_absent

__all__ = [
    "Engine",
    "EngineName",
    "LocalEngine",
    "Lost",
    "Resources",
    "available_processors",
    "cache_folder",
    "computes_bfloat16",
    "device_time",
    "free_memory",
    "keep_freed_memory",
    "open_engine",
    "pick_device",
    "whole_or_absent",
]
