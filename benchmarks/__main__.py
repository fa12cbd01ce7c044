"""Run the benchmarks and print one table: `python -m benchmarks [name ...]`."""

import sys
from collections.abc import Callable

from benchmarks import cluster, dose, fields, implant, line_tests, memory, search_real, service, start_up
from benchmarks.table import Row, as_text

ALL: dict[str, Callable[[], list[Row]]] = {
    "line_tests": line_tests.run,
    "fields": fields.run,
    "search_real": search_real.run,
    "memory": memory.run,
    "dose": dose.run,
    "implant": implant.run,
    "service": service.run,
    "cluster": cluster.run,
    "start_up": start_up.run,
}


def main(names: list[str]) -> int:
    """Print the table. 0 only if every goal that was asked is met."""
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(ALL)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or ALL:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += ALL[name]()
    print(as_text(rows))
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
