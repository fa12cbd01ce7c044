"""A kind of input that is tried with damage: how valid files of it are made, and how one is read."""

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutations import Mutate, mutated

from anatomy.errors import AnatomyError

MOST_SAID = 2000
"""Characters of a refusal: longer, it repeats the damage instead of naming it."""


def in_one(refused: Exception) -> Sequence[str]:
    """The one sentence of a refusal."""
    return (str(refused),)


class Logged(logging.Handler):
    """Keeps what is logged: a library that is not told otherwise prints it in front of the user."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.name}: {record.getMessage()}")


@dataclass(frozen=True)
class FuzzKind:
    """One kind of input.

    `seeds` writes a few valid files into an empty folder, with whatever lies beside them, and returns those
    that are to be damaged. `read` reads one of them through the project's public reader: it returns, or
    raises one of `refusals`. `inside` applies a change beneath a file's compression, so that its check sum
    holds. `tokens` are the format's own words. `said` is what a refusal says, of each mistake by itself.
    """

    seeds: Callable[[Path], list[Path]]
    read: Callable[[Path], object]
    tokens: tuple[bytes, ...] = ()
    refusals: tuple[type[Exception], ...] = (AnatomyError,)
    inside: Callable[[bytes, Mutate], bytes] | None = None
    said: Callable[[Exception], Sequence[str]] = in_one


@dataclass(frozen=True)
class Tried:
    """What became of one input, and how long it took. `fault` is None where it was read or refused as it
    should be."""

    kind: str
    seed: int
    read: bool
    fault: Exception | str | None
    took_s: float

    def told(self) -> str:
        """The fault, and how to see it again."""
        return f"{self.fault!r}: python tests/run.py fuzz_readers {self.kind} 1 --seed {self.seed}"


class Bench:
    """Valid files of one kind in a folder of their own. One is damaged, read, and mended again."""

    def __init__(self, name: str, kinds: Mapping[str, FuzzKind], folder: Path) -> None:
        self.name, self.kind = name, kinds[name]
        folder.mkdir()
        self.files = self.kind.seeds(folder)
        self.whole = [file.read_bytes() for file in self.files]
        for file in self.files:
            self.kind.read(file)

    def damaged(self, seed: int) -> tuple[Path, bytes]:
        """Which file the input `seed` damages, and what it then holds."""
        rng = random.Random(f"{self.name} {seed}")
        n = rng.randrange(len(self.files))
        if self.kind.inside is not None and rng.random() < 0.7:
            kind = self.kind
            return self.files[n], self.kind.inside(self.whole[n], lambda c: mutated(c, rng, kind.tokens))
        return self.files[n], mutated(self.whole[n], rng, self.kind.tokens)

    def tried(self, seed: int) -> Tried:
        """Damage one file, read it, and put it back. Any exception but a refusal is a fault, and so are a
        refusal too long to be read and a warning in a log."""
        file, content = self.damaged(seed)
        file.write_bytes(content)
        read, fault, logged = False, None, Logged()
        logging.getLogger().addHandler(logged)
        began = time.monotonic()
        try:
            self.kind.read(file)
            read = True
        except self.kind.refusals as refused:
            longest = max(self.kind.said(refused), key=len, default="")
            if len(longest) > MOST_SAID:
                fault = f"a refusal of {len(longest)} characters: {longest[:200]}"
        except Exception as error:  # whatever it is, it is what is looked for
            fault = error
        finally:
            took_s = time.monotonic() - began
            logging.getLogger().removeHandler(logged)
            file.write_bytes(self.whole[self.files.index(file)])
        if fault is None and logged.said:
            fault = f"logged: {logged.said[0][:200]}"
        return Tried(self.name, seed, read, fault, took_s)
