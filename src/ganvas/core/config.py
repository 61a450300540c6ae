"""Settings as frozen dataclasses: text to value, JSON there and back, ranges, differences.

A setting is a dataclass field made by `knob`; supported types are int, float, bool, str and tuple[int, ...].
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from ganvas.core import own
from ganvas.core.errors import UserError, unknown
from ganvas.core.later import Later

T = TypeVar("T")
SUFFIXES = {"k": 1_000, "m": 1_000_000}
FAR = 1e5  # bounds beyond this only exclude nonsense
LARGEST = 2**63 - 1  # of a whole number


class TooLarge(ValueError):
    """A number that is too large for any setting."""


def knob(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    code: bool = False,
    check: str = "",
) -> Any:
    """A dataclass field with a help text and the values that it may have (`low` and `high` are included).

    Args:
        code: besides the choices, a reference to the user's own code (see `core.own`).
        check: 'module:function' that raises a UserError for a value that cannot be used, and imports no torch.
    """
    limits = {"low": low, "high": high, "choices": choices, "code": code, "check": check}
    return dataclasses.field(default=default, metadata={"help": help, **limits})


def types_of(config: Any) -> dict[str, Any]:
    """The type of each field of a config (class or instance)."""
    hints = typing.get_type_hints(config if isinstance(config, type) else type(config))
    return {f.name: hints[f.name] for f in dataclasses.fields(config)}


def number(text: str) -> Decimal:
    """The value of a number such as '2M', '150k', '60_000' or '2e-4'.

    Raises:
        ValueError: it is not a number; TooLarge if it is one that is too large.
    """
    clean = text.strip().replace("_", "")
    if len(clean) > 1_000:
        raise TooLarge(text)
    factor = SUFFIXES.get(clean[-1:].lower(), 1)
    try:
        value = Decimal(clean[:-1] if factor != 1 else clean) * factor
    except ArithmeticError as error:
        raise ValueError(text) from error
    if value.is_finite() and abs(value) > sys.float_info.max:
        raise TooLarge(text)
    if not value.is_finite():
        raise ValueError(text)
    return value


def shown(value: Any) -> str:
    """A value for an error message, short however large it is."""
    try:
        text = repr(value)
    except ValueError:  # Python does not convert numbers of so many digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:50]}... ({len(text):,} characters)"


def parse(text: str, kind: Any, name: str) -> Any:
    """The value that `text` means for a setting of type `kind`.

    Raises:
        UserError: the text is not a value of that type, or is too large.
    """
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        if kind is int:
            value = number(text)
            if value != value.to_integral_value():
                raise ValueError(text)
            if abs(value) > LARGEST:
                raise TooLarge(text)
            return int(value)
        if kind is float:
            return float(number(text))
        if kind is str:
            return text
        return tuple(parse(part, int, name) for part in text.replace(" ", "").split(",") if part)
    except TooLarge as error:
        raise UserError(f"{name}={_short(text)}: that is too large for a number here.") from error
    except (ValueError, KeyError) as error:
        wanted = {
            bool: "true or false",
            int: "a whole number (150000, 150k, 2M)",
            float: "a number",
        }.get(kind, "whole numbers with commas between them")
        raise UserError(f"{name}={_short(text)}: '{_short(text)}' is not {wanted}.") from error


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:50]}..."


def check(config: Any) -> None:
    """Check every field of a config against its type and the values that its knob allows.

    Raises:
        UserError: a value is of the wrong type or out of range.
    """
    types = types_of(config)
    for field in dataclasses.fields(config):
        check_value(field.name, getattr(config, field.name), types[field.name], field.metadata)


def check_value(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> None:
    """Check the value of one setting.

    Args:
        kind: its type.
        limits: what its knob says: `low`, `high`, `choices` and `check`, each may be None.

    Raises:
        UserError: it is of the wrong type or out of range.
    """
    called = plain(name)
    if not _fits(value, kind):
        wanted = kind if not isinstance(kind, type) else kind.__name__
        raise UserError(f"{called}={shown(value)} is not of type {wanted}.")
    low, high, choices = limits.get("low"), limits.get("high"), limits.get("choices")
    for v in value if isinstance(value, tuple) else (value,):
        if kind is not float and isinstance(v, int) and abs(v) > LARGEST:
            raise UserError(f"{called}={shown(v)} is out of range: {LARGEST:,} is the most.")
        if (low is not None and v < low) or (high is not None and v > high):
            far = high is None or (high >= FAR and low is not None and v < low)  # then only the lower bound matters
            bounds = f"at least {_plain(low)}" if far else f"between {_plain(low)} and {_plain(high)}"
            raise UserError(f"{called}={shown(v)} is out of range: it must be {bounds}.")
    if choices and value not in choices and not (limits.get("code") and own.is_reference(value)):
        raise unknown(f"choice for {called}", _short(str(value)), choices)
    if check := limits.get("check"):
        Later(check).__get__(None)(value)


def plain(name: str) -> str:
    """The name of a setting as people write it: `from` for `from_`, which Python needs."""
    return name.removesuffix("_")


def unknown_setting(name: str, valid: Iterable[str]) -> UserError:
    """The error for a setting that there is not among these."""
    names = [*map(plain, valid)]
    return unknown("setting", plain(_short(name)), names, f"--dry-run explains all {len(names)} settings.")


def _plain(bound: float | None) -> str:
    """A bound for an error message."""
    return f"{bound or 0:g}" if bound is None or bound < FAR else f"{bound:,.0f}"


def _fits(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)  # of any size: see `check`
    if isinstance(kind, type):
        return isinstance(value, kind)
    return isinstance(value, tuple) and all(_fits(v, int) for v in value)  # tuple[int, ...]


def from_dict(cls: type[T], values: dict[str, Any], where: str) -> T:
    """A config from its JSON form; missing keys keep their defaults, unknown ones are an error.

    Raises:
        UserError: an unknown key, or a value of the wrong type or out of range.
    """
    types = types_of(cls)
    for name in values:
        if name not in types:
            raise unknown(f"setting in {where}", plain(_short(str(name))), map(plain, types))
    fixed = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        config = cls(**fixed)
    except TypeError as error:
        raise UserError(f"{where} lacks a setting: {error}.") from error
    check(config)
    return config


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The settings in which two nested JSON forms differ: name -> (old, new)."""
    changed: dict[str, tuple[Any, Any]] = {}
    for key in [*old, *(k for k in new if k not in old)]:
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            changed |= differences(a, b, f"{prefix}{key}.")
        elif a != b:
            changed[prefix + key] = (a, b)
    return changed
