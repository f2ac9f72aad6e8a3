"""A copy of a state that nothing moves any more: made between two batches, packed at leisure by somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

_ATOMS = frozenset({int, str, bool, float, bytes, type(None)})


def frozen(value: Any) -> Any:
    """Arrays, lists, dicts, sets and dataclasses that can change are copied, all the way down; the rest is shared."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is np.ndarray:
        return value.copy()
    if kind is list:
        return [item if type(item) in _ATOMS else frozen(item) for item in value]
    if kind is tuple:
        return tuple(item if type(item) in _ATOMS else frozen(item) for item in value)
    if isinstance(value, Mapping):
        return {key: frozen(item) for key, item in value.items()}
    if kind is set:
        return set(value)
    if is_dataclass(value) and not kind.__dataclass_params__.frozen:
        twin = copy(value)
        for field in fields(value):
            setattr(twin, field.name, frozen(getattr(value, field.name)))
        return twin
    return value
