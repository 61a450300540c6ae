"""Settings as frozen dataclasses: text to value, JSON there and back, ranges, differences.

A setting is a dataclass field made by `knob`; supported types are int, float, bool, str and tuple[int, ...].
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from decimal import Decimal
from typing import Any, TypeVar

from ganvas.errors import UserError, unknown

T = TypeVar("T")
SUFFIXES = {"k": 1_000, "m": 1_000_000}
LARGEST = 2**63 - 1  # of a whole number


def knob(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """A dataclass field with a help text and the values that it may take (`low` and `high` are allowed values)."""
    return dataclasses.field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


def types_of(config: Any) -> dict[str, Any]:
    """The type of each field of a config (class or instance)."""
    hints = typing.get_type_hints(config if isinstance(config, type) else type(config))
    return {f.name: hints[f.name] for f in dataclasses.fields(config)}


def number(text: str) -> Decimal:
    """A number as people write it: '2M', '150k', '60_000', '2e-4'. Raises ValueError where it is none."""
    clean = text.strip().replace("_", "")
    factor = SUFFIXES.get(clean[-1:].lower(), 1)
    try:
        value = Decimal(clean[:-1] if factor != 1 else clean) * factor
    except ArithmeticError as error:  # none, or far too large
        raise ValueError(text) from error
    if not value.is_finite() or abs(value) > sys.float_info.max:
        raise ValueError(text)
    return value


def parse(text: str, kind: Any, name: str) -> Any:
    """The value that `text` means for a setting of type `kind`.

    Raises:
        UserError: the text is no value of that type.
    """
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        if kind is int:
            value = number(text)
            if value != value.to_integral_value() or abs(value) > LARGEST:
                raise ValueError(text)
            return int(value)
        if kind is float:
            return float(number(text))
        if kind is str:
            return text
        return tuple(parse(part, int, name) for part in text.replace(" ", "").split(",") if part)
    except (ValueError, KeyError) as error:
        wanted = {
            bool: "true or false",
            int: "a whole number (150000, 150k, 2M)",
            float: "a number",
        }.get(kind, "whole numbers with commas between them")
        raise UserError(f"{name}={text}: '{text}' is not {wanted}.") from error


def check(config: Any) -> None:
    """Check every field of a config against its type and the values that its knob allows.

    Raises:
        UserError: a value is of the wrong type or out of range.
    """
    kinds = types_of(config)
    for field in dataclasses.fields(config):
        value, meta, kind = getattr(config, field.name), field.metadata, kinds[field.name]
        if not _fits(value, kind):
            name = kind if not isinstance(kind, type) else kind.__name__
            raise UserError(f"{field.name}={value!r} is not of type {name}.")
        low, high, choices = meta.get("low"), meta.get("high"), meta.get("choices")
        for v in value if isinstance(value, tuple) else (value,):
            if (low is not None and v < low) or (high is not None and v > high):
                bounds = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
                raise UserError(f"{field.name}={v} is out of range: it must be {bounds}.")
        if choices and value not in choices:
            raise unknown(f"choice for {field.name}", str(value), choices)


def _fits(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    if isinstance(kind, type):
        return isinstance(value, kind)
    return isinstance(value, tuple) and all(_fits(v, int) for v in value)  # tuple[int, ...]


def from_dict(cls: type[T], values: dict[str, Any], where: str) -> T:
    """A config from its JSON form; a key that is missing keeps its default, an unknown one is an error.

    Raises:
        UserError: an unknown key, or a value of the wrong type or out of range.
    """
    kinds = types_of(cls)
    for name in values:
        if name not in kinds:
            raise unknown(f"setting in {where}", name, kinds)
    fixed = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        config = cls(**fixed)
    except TypeError as error:
        raise UserError(f"{where} lacks a setting: {error}.") from error
    check(config)
    return config


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The settings in which two nested JSON forms differ: name -> (old, new)."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in [*old, *(k for k in new if k not in old)]:
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found |= differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found[prefix + key] = (a, b)
    return found
