"""What proves that a request which does something comes from this page.

Airflow's login is a cookie, which a browser sends with every request, also with one that a page of somebody else makes
it send. So such a request has to come from this origin, and carries a token that only a page of this origin can read.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from cloud_costs.page.problems import Refusal

HEADER = "X-CSRF-Token"
SECONDS = 3_600
DENIED = 403


@dataclass(frozen=True)
class Tokens:
    """Tokens for one purpose. `secret` signs them; all API servers have the same."""

    secret: str
    purpose: str

    def of(self, person: str) -> str:
        """Return a token that is good for this person and an hour."""
        return str(self._signer().dumps(person))

    def require_own_site(self, request: Request) -> None:
        """Raise `Refusal` unless the request comes from this page."""
        if not is_own(request):
            raise Refusal(DENIED, "The request comes from another site.", "Use the page itself.")

    def require(self, token: str | None, person: str, address: str) -> None:
        """Raise `Refusal` unless the token is one of this person; `address` is where they get one."""
        try:
            owner = self._signer().loads(token or "", max_age=SECONDS)
        except BadSignature:
            owner = None
        if owner != person:
            hint = f"Send the token of {address} in the header {HEADER}. The page does: load it again."
            raise Refusal(DENIED, "The request has no token, or one that is not good any more.", hint)

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.secret, salt=f"cloud_costs {self.purpose}")


def is_own(request: Request) -> bool:
    """Tell whether a request comes from this origin, or from a program that is no browser.

    Browsers say it in Sec-Fetch-Site (Fetch Metadata), and over plain HTTP in Origin alone. Neither can be set by a
    page. Proxies that change Host name the one before in X-Forwarded-Host.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    hosts = {request.headers.get(name, "").lower() for name in ("Host", "X-Forwarded-Host")} - {""}
    return origin is None or urlsplit(origin).netloc.lower() in hosts
