"""Turn pydantic's findings into words that an operator can act on."""

from collections.abc import Callable

from pydantic import ValidationError

Location = tuple[int | str, ...]


def explain(error: ValidationError, allowed_keys: Callable[[Location], str] = lambda location: "none") -> str:
    """Return the findings as `key: reason` phrases.

    `allowed_keys` gets the location of an unknown key, and returns the keys that are allowed there, as text.
    """
    phrases = []
    for found in error.errors(include_url=False, include_context=False):
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"]).lstrip(".")
        reason = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            reason = f"unknown key; allowed: {allowed_keys(found['loc'])}"
        elif found["type"] == "string_pattern_mismatch":
            reason = f"{found['input']!r} does not match {reason.rsplit('pattern ', 1)[-1]}"
        elif found["type"] == "missing":
            reason = "this key is missing"
        phrases.append(f"{key}: {reason}" if key else reason)
    return "; ".join(phrases)
