"""Client: the service as Python functions, over HTTP with `httpx`. Small and typed.

    with Client("http://127.0.0.1:8000", key=None) as client:
        case = client.add_builtin("thorax")
        plan = client.plan(case, {"target": {"structure": "node_4R"}}, on_progress=print)

Requests for work have an Idempotency-Key, and are sent again if the service is unreachable or busy. Progress
comes as server-sent events, which resume where the stream broke. So a plan survives a restart of the server.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from service.schemas.plan.file import PlanFile, read_plan
from service.schemas.result_kinds import ResultKind
from service.schemas.result_text import is_text_of

Json = dict[str, Any]

ANSWER_S = 120.0
"""Time limit of a single answer: uploads are read, and scenes made, within it [U]."""

PATIENCE_S = 60.0
"""How long requests are repeated while the service is unreachable or busy [U]."""

PAUSE_S = 0.5
"""Pause between two attempts, if the service names no other [U]."""

_AGAIN = (429, 502, 503, 504)
"""Statuses that mean: try again later."""

OnProgress = Callable[[str, float], None]
"""Called with the phase, and the fraction of the whole that is done, 0 to 1."""


class ProblemError(Exception):
    """The service answered with a problem (RFC 9457): `problem` holds all of it."""

    def __init__(self, problem: Json) -> None:
        self.problem = problem
        fields = "".join(f" {e['pointer']}: {e['detail']}" for e in problem.get("errors", ()))
        super().__init__(f"{problem.get('title')}: {problem.get('detail')}{fields}")


class JobCancelled(Exception):
    """The job was cancelled before it ended."""


class ContentMismatch(Exception):
    """A plan or result does not match its id, a sha256. It was changed in the store or on its way, and must
    not be used."""


class Client:
    """A connection to one service, as one owner. Plans and results are checked against their ids when they
    arrive.

    Errors are ProblemError, JobCancelled, ContentMismatch, and httpx.TransportError if the service stays
    unreachable for longer than PATIENCE_S.
    """

    def __init__(self, base_url: str, key: str | None = None, patience_s: float = PATIENCE_S) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        # Proxy settings of the environment are not for the service on a workstation.
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=ANSWER_S, trust_env=False)
        self._patience_s = patience_s

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def version(self) -> Json:
        """The software version of the service."""
        return self._json("GET", "/v1/version")

    def health(self) -> Json:
        """Whether the service can take work; ProblemError if it cannot."""
        return _content(self._http.get("/v1/health"))

    def add_builtin(self, name: str) -> Json:
        """A built-in case, with its `id`."""
        return self._json("POST", "/v1/cases", json={"builtin": name})

    def add_case(
        self,
        file: Path,
        names: Path | None = None,
        targets: Sequence[Path] = (),
        ct: Path | None = None,
        mesh_axes: str | None = None,
    ) -> Json:
        """Upload a case: what was read from its files, with its `id`. The same files give the same case.

        `mesh_axes`, "lps" or "ras", is for surfaces whose files do not state their axes.
        """
        texts = {} if mesh_axes is None else {"mesh_axes": mesh_axes}
        parts = [("file", file), ("names", names), *(("target", t) for t in targets), ("ct", ct)]
        with ExitStack() as stack:
            opened = [(p, (path.name, stack.enter_context(path.open("rb")))) for p, path in parts if path]
            return _content(self._http.post("/v1/cases", files=opened, data=texts))

    def cases(self) -> Iterator[Json]:
        """All cases, newest first, each with a `summary`: its name, structures and targets."""
        return self._pages("/v1/cases")

    def plans(self, case: Json | None = None) -> Iterator[Json]:
        """All plans, or those of a case, newest first, each with a `summary`: target, main figures, and the
        most important warnings. `kept_plan` reads one."""
        return self._pages("/v1/plans" if case is None else f"/v1/plans?case={case['id']}")

    def kept_plan(self, plan_id: str) -> PlanFile:
        """A plan that was made before. Raises ContentMismatch."""
        return read_plan(self._stored_text(f"/v1/plans/{plan_id}"))

    def remove_case(self, case: Json) -> None:
        """Remove a case."""
        self._json("DELETE", f"/v1/cases/{case['id']}")

    def plan(
        self, case: Json, request: Json | None = None, on_progress: OnProgress | None = None
    ) -> PlanFile:
        """Plan a case, and wait for the plan."""
        job = self.order(f"/v1/cases/{case['id']}/plans", request or {})
        return read_plan(self.result(job, on_progress))

    def evaluate_implant(self, plan_id: str, seeds: Json, on_progress: OnProgress | None = None) -> Json:
        """Compare the seeds that were found with a plan."""
        job = self.order(f"/v1/plans/{plan_id}:evaluate-implant", seeds)
        content: Json = json.loads(self.result(job, on_progress))
        return content

    def replan(self, plan_id: str, needles: Json, on_progress: OnProgress | None = None) -> Json:
        """Plan again around measured needles."""
        job = self.order(f"/v1/plans/{plan_id}:replan", needles)
        content: Json = json.loads(self.result(job, on_progress))
        return content

    def appraise(self, case: Json, paths: Sequence[Json], request: Json | None = None) -> list[Json]:
        """The appraisal of each needle, given as {"entry_mm", "tip_mm"}, with "aim" if it is not "target" but
        "ptv" or "given", as in a plan's paths."""
        body = {"paths": list(paths), "request": request or {}}
        answer = self._json("POST", f"/v1/cases/{case['id']}/paths:evaluate", json=body)
        return list(answer["paths"])

    def order(self, address: str, body: Json) -> Json:
        """Request work; returns the job. A repeated request gives the same job."""
        return self._json("POST", address, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})

    def job(self, job_id: str) -> Json:
        """The state of a job."""
        return self._json("GET", f"/v1/jobs/{job_id}")

    def jobs(self) -> Iterator[Json]:
        """All jobs, newest first."""
        return self._pages("/v1/jobs")

    def cancel(self, job_id: str) -> Json:
        """Cancel a job."""
        return self._json("DELETE", f"/v1/jobs/{job_id}")

    def result(self, job: Json, on_progress: OnProgress | None = None) -> bytes:
        """The result of a job, byte for byte, once it is done.

        Raises JobCancelled, ProblemError and ContentMismatch.
        """
        for event in self.events(job["id"]):
            if on_progress is not None and event["state"] == "running" and event["progress"] is not None:
                on_progress(event["progress"]["phase"], event["progress"]["fraction"])
        ended = self.job(job["id"])
        if ended["problem"] is not None:
            raise ProblemError(ended["problem"])
        if ended["result"] is None:
            raise JobCancelled(f"Job {job['id']} was cancelled.")
        return self._stored_text(ended["result"])

    def _stored_text(self, address: str) -> bytes:
        """The stored text at an address that ends with its kind and its id. Raises ContentMismatch."""
        kind, id = address.split("/")[-2:]
        text = self._answer("GET", address).content
        if not is_text_of(ResultKind(kind), id, text):
            raise ContentMismatch(
                f"What came from {address} does not match its id: it was changed in the store or on its "
                "way. Read it again; if that does not help, request the same work again."
            )
        return text

    def events(self, job_id: str) -> Iterator[Json]:
        """The events of a job until it ends; a broken stream is resumed."""
        last, until = 0, time.monotonic() + self._patience_s
        while True:
            try:
                headers = {"Last-Event-ID": str(last)}
                with self._http.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
                    if answer.status_code == 204:
                        return
                    if answer.status_code not in _AGAIN or time.monotonic() > until:
                        _refuse_problem(answer)
                        for event in _events(answer.iter_lines()):
                            # Comments also show that the server is alive.
                            until = time.monotonic() + self._patience_s
                            if event is None:
                                continue
                            last, data = event
                            yield data
                            if data["state"] not in ("queued", "running"):
                                return
            except httpx.TransportError:
                if time.monotonic() > until:
                    raise
            time.sleep(PAUSE_S)

    def _pages(self, address: str | None) -> Iterator[Json]:
        while address is not None:
            page = self._json("GET", address)
            yield from page["items"]
            address = page["next"]

    def _json(self, method: str, address: str, **more: Any) -> Json:
        return _content(self._answer(method, address, **more))

    def _answer(self, method: str, address: str, **more: Any) -> httpx.Response:
        """The answer, once the service is reachable and not too busy."""
        until = time.monotonic() + self._patience_s
        while True:
            try:
                answer = self._http.request(method, address, **more)
            except httpx.TransportError:
                if time.monotonic() > until:
                    raise
                time.sleep(PAUSE_S)
                continue
            if answer.status_code not in _AGAIN or time.monotonic() > until:
                _refuse_problem(answer)
                return answer
            time.sleep(_pause_s(answer.headers))


def _pause_s(headers: Mapping[str, str]) -> float:
    value = headers.get("retry-after", "")
    return float(value) if value.isdigit() else PAUSE_S


def _content(answer: httpx.Response) -> Json:
    _refuse_problem(answer)
    content: Json = answer.json() if answer.content else {}
    return content


def _refuse_problem(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    answer.read()
    try:
        problem: Json = answer.json()
    except ValueError:
        # Not from the service; perhaps from a proxy.
        title = f"{answer.status_code} {answer.reason_phrase}"
        problem = {"title": title, "detail": answer.text[:200], "status": answer.status_code, "errors": []}
    raise ProblemError(problem)


def _events(lines: Iterator[str]) -> Iterator[tuple[int, Json] | None]:
    """Ids and data of server-sent events; None for each comment between them."""
    id, data = 0, ""
    for text in lines:
        name, _, value = text.partition(": ")
        if text.startswith(":"):
            yield None
        elif name == "id":
            id = int(value)
        elif name == "data":
            data = value
        elif text == "" and data:
            yield id, json.loads(data)
            data = ""
