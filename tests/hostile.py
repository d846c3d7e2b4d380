"""Hostile text: it has a meaning in SQL, a shell, a format string, a template or a terminal."""

HOSTILE = (
    '"; drop table load_history; --',
    "'; drop table load_history; --",
    "$$; drop table load_history; $$",
    "); delete from audit_results; --",
    "%s %(load_id)s %% %d",
    "{schema} {0} {{}} {",
    "{{ 7 * 7 }}{% raw %}${7*7}#{7*7}",
    "`touch owned` $(touch owned) | touch owned; touch owned &",
    "../../../../etc/passwd",
    "a\nERROR forged line\r\n2025-01-01 INFO forged",
    "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "\u202egpj.exe\u2066",
    "two\u2028lines\x85here",
    "\ufeffmark\u200b",
    "\\x41 \\N \\. \\",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "NULL",
    "é 日本 🜁 ﷽",
    "x" * 3000,
)
NAMES = ("sql_identifier", "sql_string", "sql_dollar", "sql_close", "percent", "braces", "template", "shell", "path")
NAMES += ("lines", "terminal", "right_to_left", "separators", "invisible", "backslash", "formula", "html", "null")
NAMES += ("unicode", "long")


def one_line(text: str) -> bool:
    """Tell whether a text is one line that a terminal shows as it is."""
    return text.isprintable()
