"""A kind of input that is tried with damage: how valid files of it are made, and how one is read."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mutations import Mutate, mutated

from anatomy.errors import AnatomyError

MOST_SAID = 2000
"""Characters of a refusal: longer, it repeats the damage instead of naming it."""


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    `seeds` writes a few valid files into an empty folder, with whatever lies beside them, and returns those
    that are to be damaged. `read` reads one of them through the project's public reader: it returns, or
    raises one of `refusals`. `inside` applies a change beneath a file's compression, so that its check sum
    holds. `tokens` are the format's own words.
    """

    seeds: Callable[[Path], list[Path]]
    read: Callable[[Path], object]
    tokens: tuple[bytes, ...] = ()
    refusals: tuple[type[Exception], ...] = (AnatomyError,)
    inside: Callable[[bytes, Mutate], bytes] | None = None


@dataclass(frozen=True)
class Tried:
    """What became of one input. `fault` is None where it was read or refused as it should be."""

    kind: str
    seed: int
    read: bool
    fault: Exception | str | None

    def told(self) -> str:
        """The fault, and how to see it again."""
        return f"{self.fault!r}: python tests/fuzz_readers.py {self.kind} 1 --seed {self.seed}"


class Bench:
    """Valid files of one kind in a folder of their own. One is damaged, read, and mended again."""

    def __init__(self, name: str, kinds: Mapping[str, Kind], folder: Path) -> None:
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
        """Damage one file, read it, and put it back. Any exception but a refusal is a fault, and so is a
        refusal too long to be read."""
        file, content = self.damaged(seed)
        file.write_bytes(content)
        read, fault = False, None
        try:
            self.kind.read(file)
            read = True
        except self.kind.refusals as refused:
            if len(str(refused)) > MOST_SAID:
                fault = f"a refusal of {len(str(refused))} characters: {str(refused)[:200]}"
        except Exception as error:  # whatever it is, it is what is looked for
            fault = error
        finally:
            file.write_bytes(self.whole[self.files.index(file)])
        return Tried(self.name, seed, read, fault)
