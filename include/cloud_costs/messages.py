"""Text from outside, made safe for a log line or a terminal.

File names, column names and values come from a bucket. Error texts come from programs that were handed secrets. A line
break in them would forge a log line, an escape sequence would control the reader's terminal, and a password would stay
in the log for ever.
"""

import re

MASK = "***"
NAMES = (
    r"(?:ssl)?password|passwd|secret|(?:aws_)?secret_(?:access_)?key|secret_string|(?:aws_)?session_token"
    r"|(?:shared_?)?(?:account|access)_?key|shared_?access_?signature|sas_token|client_?secret|client_assertion"
    r"|private_key|refresh_token|access_token|id_token"
)
# Each pattern matches a secret and keeps the group `before` it, so that a reader still sees which setting it was. The
# patterns match too much rather than too little: a masked word costs a second look, a secret in a log a rotation.
SECRETS = (
    # scheme://user:password@host
    re.compile(r"(?P<before>://[^\s/:@]*:)[^\s/]*(?=@)"),
    # libpq's password=x, JSON's "password": "x", SQL's secret 'x'
    re.compile(rf"(?i)(?P<before>\b(?:{NAMES})(?:[\"']?\s*[=:]\s*|\s+(?=')))(?:'[^']*'|\"[^\"]*\"|[^\s,;&)]+)"),
    # a Slack webhook has no other secret than its path
    re.compile(r"(?P<before>/services/)[A-Z]\w+/\w+/\w+"),
    # presigned URLs
    re.compile(r"(?i)(?P<before>\bX-(?:Amz|Goog)-(?:Signature|Security-Token|Credential)=)[^\s&'\"]+"),
    # the signature of an Azure SAS token
    re.compile(r"(?i)(?P<before>\bsig=)[^\s&'\";,)]+"),
    # HTTP's Authorization header, and a key of a service account
    re.compile(r"(?i)(?P<before>\bbearer\s+)[\w.~+/-]{16,}=*"),
    re.compile(r"(?s)(?P<before>-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END |$)"),
)


def safe(text: str) -> str:
    """Return the text on one line, with secrets masked and unprintable characters escaped as Python writes them.

    >>> safe("a\\nb \\x1b[31m postgresql://loader:geheim@db/costs")
    'a\\\\nb \\\\x1b[31m postgresql://loader:***@db/costs'
    """
    for secret in SECRETS:
        text = secret.sub(rf"\g<before>{MASK}", text)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
