"""CORS: which pages of other origins may ask, answered as everything is: what is refused is a problem."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from service.web.problem_answers import Problem, answer, problem


def foreign_page(origin: str) -> Problem:
    """What is answered to a page that may not ask."""
    detail = f"Pages of {origin[:100]!r} may not ask here. SEEDPATH_CORS_ORIGINS lists those that may."
    return problem("foreign-page", detail)


class CorsMiddleware(CORSMiddleware):
    """Starlette's, with problems."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Leave for what a page wants to ask, or why it has none."""
        found = super().preflight_response(request_headers)
        if found.status_code < 400:
            return found
        # Of these the browser tells the page's author what is amiss; the rest of a refusal stays the same.
        kept = {n: v for n, v in found.headers.items() if n.startswith("access-control-") or n == "vary"}
        if not self.is_allowed_origin(request_headers["origin"]):
            return answer(foreign_page(request_headers["origin"]).report, kept)
        detail = f"Pages may send {', '.join(self.allow_methods)}, and ask for no private network."
        return answer(problem("foreign-page", detail).report, kept)
