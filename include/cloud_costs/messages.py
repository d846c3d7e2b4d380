"""What may be said aloud: the text of others, made fit for a log line.

File names, column names and values come from a bucket, and error texts from programs that were handed secrets. In a log
a line break would begin a line that nobody wrote, an escape sequence would speak to the reader's terminal, and a
password would stay for ever.
"""

import re

MASK = "***"
NAMES = (
    r"(?:ssl)?password|passwd|secret|(?:aws_)?secret_(?:access_)?key|secret_string|(?:aws_)?session_token"
    r"|(?:shared_?)?(?:account|access)_?key|shared_?access_?signature|sas_token|client_?secret|client_assertion"
    r"|private_key|refresh_token|access_token|id_token"
)
SECRETS = (
    # scheme://user:password@host
    re.compile(r"(?P<before>://[^\s/:@]*:)[^\s/]*(?=@)"),
    # libpq's password=x, JSON's "password": "x", SQL's secret 'x'
    re.compile(rf"(?i)(?P<before>\b(?:{NAMES})(?:[\"']?\s*[=:]\s*|\s+(?=')))(?:'[^']*'|\"[^\"]*\"|[^\s,;&)]+)"),
    # the whole secret of a Slack webhook is its path
    re.compile(r"(?P<before>/services/)[A-Z]\w+/\w+/\w+"),
    # presigned URLs
    re.compile(r"(?i)(?P<before>\bX-(?:Amz|Goog)-(?:Signature|Security-Token|Credential)=)[^\s&'\"]+"),
    # the signature of an Azure SAS token, the whole of it where it follows its name
    re.compile(r"(?i)(?P<before>\bsig=)[^\s&'\";,)]+"),
    # HTTP's Authorization header, and a key of a service account
    re.compile(r"(?i)(?P<before>\bbearer\s+)[\w.~+/-]{16,}=*"),
    re.compile(r"(?s)(?P<before>-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END |$)"),
)


def safe(text: str) -> str:
    """Return the text on one line, without secrets; what is not printable is escaped as Python writes it.

    >>> safe("a\\nb \\x1b[31m postgresql://loader:geheim@db/costs")
    'a\\\\nb \\\\x1b[31m postgresql://loader:***@db/costs'
    """
    for secret in SECRETS:
        text = secret.sub(rf"\g<before>{MASK}", text)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
