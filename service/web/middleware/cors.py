"""CORS: which pages of other origins may send requests; refusals are problems."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from service.web.problem_answers import Problem, answer, problem


def foreign_page(origin: str) -> Problem:
    """The answer to a page that is not allowed."""
    detail = f"Pages of {origin[:100]!r} may not ask here. SEEDPATH_CORS_ORIGINS lists those that may."
    return problem("foreign-page", detail)


class CorsMiddleware(CORSMiddleware):
    """Starlette's, with problems."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a preflight request: permission, or why it is refused."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        # From these headers the browser tells the page's author what is wrong; the rest is a normal refusal.
        cors_headers = {
            n: v for n, v in response.headers.items() if n.startswith("access-control-") or n == "vary"
        }
        if not self.is_allowed_origin(request_headers["origin"]):
            return answer(foreign_page(request_headers["origin"]).report, cors_headers)
        detail = f"Pages may send {', '.join(self.allow_methods)}, and ask for no private network."
        return answer(problem("foreign-page", detail).report, cors_headers)
