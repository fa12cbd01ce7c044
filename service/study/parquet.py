"""Parquet: the study's table as a file. The metadata of a column has its description and unit, that of the
file the definition of the rankings. Equal rows give equal bytes."""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from service.study.table import COLUMNS, Value

_TYPES = {"text": pa.string(), "number": pa.float64(), "count": pa.int64(), "flag": pa.bool_()}


def table_bytes(rows: Sequence[Mapping[str, Value]], about: Mapping[str, Any]) -> bytes:
    """The table of these rows, in their order. `about` are JSON values that describe the study."""
    fields = [
        pa.field(
            c.name, _TYPES[c.kind], metadata={"description": c.says, **({"unit": c.unit} if c.unit else {})}
        )
        for c in COLUMNS
    ]
    metadata = {key: value if isinstance(value, str) else _text(value) for key, value in about.items()}
    schema = pa.schema(fields, metadata={f"seedpath.{key}": value for key, value in metadata.items()})
    written = BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), written)
    return written.getvalue()


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
