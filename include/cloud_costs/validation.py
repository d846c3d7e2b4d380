"""Say what pydantic found in words that an operator can act on."""

from pydantic import ValidationError


def explain(error: ValidationError, allowed_keys: str = "") -> str:
    """Return the findings as `key: reason` phrases; `allowed_keys` is named where a key is unknown."""
    phrases = []
    for found in error.errors(include_url=False, include_context=False):
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"]).lstrip(".")
        reason = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            reason = f"unknown key; allowed: {allowed_keys}"
        elif found["type"] == "string_pattern_mismatch":
            reason = f"{found['input']!r} does not match {reason.rsplit('pattern ', 1)[-1]}"
        elif found["type"] == "missing":
            reason = "this key is missing"
        phrases.append(f"{key}: {reason}" if key else reason)
    return "; ".join(phrases)
