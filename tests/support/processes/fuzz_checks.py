"""Checks of ours for schemathesis, where its own would be wrong: on what is refused though it is as the
schema says, and on what is accepted though it is not."""

import re

import schemathesis

BY_MEANING = ("key-reused", "unusable-input")
"""Problems of requests that are well formed, among those whose status (400, 422) else blames their form. What
is answered 404, 409 or 412 blames no field, and is not looked at here."""

RELATIONS = re.compile(
    "|".join(
        (
            # One number or point and another
            "apart, which is not a needle",
            "pixels along a side are more than ",
            "^The axis has length ",
            "^The gauge is ",
            " is above v150_percent ",
            "^goals: d90_gy ",
            r"^d\w+_gy .* is below d\w+_gy ",
            " is below min_spacing_mm ",
            " is below the seed's length: ",
            " is missing: decay runs between two dates",
            "^calibration_date .* is after implant_date ",
            " days lie between calibration_date and implant_date",
            " needles are given, and max_needles is ",
            "^Two needles stand for path ",
            # What is there
            "^Needles and seeds that are in are not looked at here",
            "^There is no such case",
        )
    )
)
"""What is said of fields that are each as the schema has them, and do not go together."""


PARTS = {"file", "names", "target", "ct"}


@schemathesis.check
def refused_for_a_reason(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Raises AssertionError where a problem blames a field that is as the schema says."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return
    document = response.json()
    if document["type"].rpartition("/")[2] in BY_MEANING:
        return
    unforeseen = [error for error in document["errors"] if not RELATIONS.search(error["detail"])]
    assert document["errors"] and not unforeseen, f"The schema allows what is refused: {document}"


@schemathesis.check
def accepted_for_a_reason(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Raises AssertionError where a case is taken in that is no built-in, and no form of known parts."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_negative or response.status_code not in (200, 201):
        return
    if case.operation.definition.raw.get("operationId") == "add_case":
        form = isinstance(case.body, dict) and "file" in case.body and set(case.body) <= PARTS
        assert form or case.body == {"builtin": "thorax"}, f"This is no case: {case.body!r}"
