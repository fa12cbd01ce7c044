"""Expected structures: lung, and what no needle may touch, in every chest; and which of them an input lacks.

    names  --group, part, side, number-->  "lung_right", "subclavian_vein", "ribs_left_2_to_10"

Each side and each named part counts separately. A name without a side counts for both sides, and a name of
the whole for all its parts: "trachea" does not include a main bronchus, "trachea_bronchi" includes both.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from anatomy.names.roles import SIDES, is_known, key_of, level_of, words_of
from anatomy.structures import Role

CHEST_RIBS = range(1, 11)
"""Ribs of each side that a scan of a chest shows [U]: the last two are short, and often below the scan."""

CHEST_VERTEBRAE = tuple(f"T{n}" for n in range(1, 11))
"""Vertebrae that a scan of a chest shows [U]: from the apex of the lung to the dome of the liver."""

LEVELS = tuple(f"{region}{n}" for region, last in (("C", 7), ("T", 12), ("L", 5)) for n in range(1, last + 1))
"""All vertebrae above the sacrum, from the top."""

_GREAT = "mediastinal_great_vessel great_vessel"


@dataclass(frozen=True)
class _Part:
    """A part with its own name, the names that count for it, and its sides: none for a midline structure."""

    name: str
    stands: str
    sides: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Group:
    """Parts, and the names that count for all of them. `by_side`: if a side lacks all its parts, the side of
    the group is named instead of the parts."""

    name: str
    whole: str
    parts: tuple[_Part, ...]
    by_side: bool = False


def _one(name: str, stands: str, sides: tuple[str, ...] = ()) -> _Group:
    return _Group(name, "", (_Part(name, stands, sides),))


LUNG = "lung"

_LUNG = _Group(
    LUNG,
    "lung lung_pleural",
    (
        _Part("lung_upper_lobe", "lung_upper_lobe", SIDES),
        _Part("lung_middle_lobe", "lung_middle_lobe", ("right",)),
        _Part("lung_lower_lobe", "lung_lower_lobe", SIDES),
    ),
    by_side=True,
)
_GROUPS = (
    _Group(
        "heart",
        "heart heart_lower pericardium pericardial_sac",
        (
            _Part("heart_myocardium", "heart_myocardium heart_tissue heart_ventricular_wall"),
            _Part("heart_atrium", "heart_atrium atrium", SIDES),
            _Part("heart_ventricle", "heart_ventricle", SIDES),
        ),
    ),
    _Group(
        "aorta",
        "aorta a_aorta aorta_thoracic aorta_thoracica",
        (
            _Part("aorta_ascending", "aorta_ascending ascending_aorta"),
            _Part("aorta_arch", "aorta_arch aortic_arch"),
            _Part("aorta_descending", "aorta_descending descending_aorta"),
        ),
    ),
    _Group(
        "pulmonary_artery",
        f"a_pulmonary {_GREAT}",
        (_Part("pulmonary_artery", "pulmonary_artery", SIDES),),
    ),
    _one("pulmonary_vein", "pulmonary_vein pulmonary_venous_system", SIDES),
    _one("superior_vena_cava", f"superior_vena_cava superior_venacava venacava_s {_GREAT}"),
    _Group(
        "airway",
        "airway trachea_bronchi lung_trachea_bronchia",
        (
            _Part("trachea", "trachea"),
            _Part("main_bronchus", "main_bronchus bronchus bronchus_prox proximal_bronchial_tree", SIDES),
        ),
    ),
    _one("esophagus", "esophagus"),
    _one("spinal_cord", "spinal_cord spinal_canal cord"),
    _one("vertebrae", "vertebrae vertebrae_body spine"),
    _one("ribs", "rib", SIDES),
    _one("sternum", "sternum manubrium"),
    _one(
        "internal_mammary_vessels",
        "internal_mammary_artery internal_mammary_vein internal_mammary_vessel "
        "internal_thoracic_artery internal_thoracic_vein internal_thoracic_vessel",
        SIDES,
    ),
    _Group(
        "subclavian_vessels",
        f"subclavian_vessel {_GREAT}",
        (
            _Part("subclavian_artery", "subclavian_artery", SIDES),
            _Part("subclavian_vein", "subclavian_vein", SIDES),
        ),
    ),
    _Group(
        "brachiocephalic_vessels",
        f"brachiocephalic_vessel {_GREAT}",
        (
            _Part("brachiocephalic_trunk", "brachiocephalic_trunk brachiocephalic_artery innominate_artery"),
            _Part("brachiocephalic_vein", "brachiocephalic_vein innominate_vein", SIDES),
        ),
    ),
    _one("costal_cartilages", "costal_cartilage", SIDES),
    _one("azygos_vein", "azygos azygos_vein"),
    _one("intercostal_vessels", "intercostal_artery intercostal_vein intercostal_vessel", SIDES),
)
"""What every chest has and no needle may touch. An artery and a vein that run side by side (internal mammary,
intercostal) count for each other; those that separate (subclavian, brachiocephalic) do not."""

LUNG_NAMES = frozenset(
    name
    for part in (LUNG, *(p.name for p in _LUNG.parts))
    for name in (part, *(f"{part}_{s}" for s in SIDES))
)
"""The names of missing lung."""


def expected_missing(roles: Mapping[str, Role]) -> tuple[str, ...]:
    """Names of what a chest has and these structures lack, lung first, in a fixed order.

    Lung counts if its role is lung or forbidden: passable lung is crossed without being counted. A name
    without a side counts for both sides. If ribs and vertebrae have numbers, those are missing that a chest
    scan shows (CHEST_RIBS, CHEST_VERTEBRAE), and those between two of the input.
    """
    lungs = [name for name, role in roles.items() if role in (Role.LUNG, Role.FORBIDDEN)]
    # A structure with the role lung is lung, whatever its name.
    renamed = [_as_lung(name) for name, role in roles.items() if role is Role.LUNG and not is_known(name)]
    missing = _lacking(_LUNG, [*lungs, *renamed])
    for group in _GROUPS:
        if group.name == "ribs":
            missing += _ribs_lacking(roles)
        elif group.name == "vertebrae":
            missing += _vertebrae_lacking(roles, group)
        else:
            missing += _lacking(group, roles)
    return tuple(missing)


def is_expected(name: str, role: Role) -> bool:
    """Whether a structure of this name and role counts for anything that every chest has."""
    return expected_missing({name: role}) != _NOTHING_THERE


def lung_lacking(missing: Iterable[str]) -> tuple[str, ...]:
    """The lung names among the missing ones."""
    return tuple(name for name in missing if name in LUNG_NAMES)


def whole_lungs(roles: Mapping[str, Role]) -> tuple[str, ...]:
    """Structures with the role lung that are one whole lung or both, so that no fissure is visible in
    them."""
    return tuple(name for name, role in roles.items() if role is Role.LUNG and key_of(name) == key_of(LUNG))


def _as_lung(name: str) -> str:
    sides = _sides_of(name)
    return LUNG if len(sides) > 1 else f"{LUNG}_{sides[0]}"


def _sides_of(name: str) -> tuple[str, ...]:
    """The sides that a name counts for: both if it names none."""
    sides = tuple(side for side in SIDES if side in words_of(name))
    return sides or SIDES


def _keys(names: str) -> frozenset[tuple[str, ...]]:
    return frozenset(key_of(name) for name in names.split())


def _held(names: Iterable[str], stand: str) -> set[str]:
    """The sides on which one of the names counts for the part that accepts the names `stand`."""
    keys = _keys(stand)
    return {side for name in names if key_of(name) in keys for side in _sides_of(name)}


def _lacking(group: _Group, names: Iterable[str]) -> list[str]:
    names = tuple(names)
    sides_of_whole = _held(names, group.whole)
    slots: list[tuple[str, str]] = []
    lacks: list[tuple[str, str]] = []
    for part in group.parts:
        present = _held(names, part.stands) | sides_of_whole
        slots += [(part.name, side) for side in part.sides] or [(part.name, "")]
        lacks += [(part.name, side) for side in part.sides if side not in present]
        if not part.sides and not present:
            lacks.append((part.name, ""))
    if lacks == slots:
        return [group.name]
    missing: list[str] = []
    for side in SIDES if group.by_side else ():
        if {slot for slot in slots if slot[1] == side} <= set(lacks):
            missing.append(f"{group.name}_{side}")
            lacks = [slot for slot in lacks if slot[1] != side]
    for part in group.parts:
        sides = [side for name, side in lacks if name == part.name]
        if len(sides) == len(SIDES) or sides == [""]:
            missing.append(part.name)
        elif sides:
            missing.append(f"{part.name}_{sides[0]}")
    return missing


def _ribs_lacking(names: Iterable[str]) -> list[str]:
    numbers: dict[str, set[int]] = {side: set() for side in SIDES}
    for name in names:
        if key_of(name) != ("rib",):
            continue
        stated = {int(word) for word in words_of(name) if word.isdigit()}
        for side in _sides_of(name):
            # Ribs in one structure have no numbers: all of them are present.
            numbers[side] |= stated or set(range(1, 13))
    present = [n for stated in numbers.values() for n in stated if 1 <= n <= 12]
    expected = {*CHEST_RIBS, *range(min(present, default=1), max(present, default=0) + 1)}
    lacks = {side: sorted(expected - numbers[side]) for side in SIDES}
    if lacks["left"] == lacks["right"]:
        return _runs("rib", "", lacks["left"], not present)
    return [name for side in SIDES for name in _runs("rib", f"_{side}", lacks[side], not numbers[side])]


def _runs(noun: str, side: str, numbers: list[int], all_of_them: bool) -> list[str]:
    """Names for numbers, consecutive ones as a range: "ribs_left_2_to_10", "rib_left_4"."""
    if all_of_them:
        return [f"{noun}s{side}"]
    firsts = [n for n in numbers if n - 1 not in numbers]
    lasts = [n for n in numbers if n + 1 not in numbers]
    return [
        f"{noun}{side}_{a}" if a == b else f"{noun}s{side}_{a}_to_{b}"
        for a, b in zip(firsts, lasts, strict=True)
    ]


def _vertebrae_lacking(names: Iterable[str], group: _Group) -> list[str]:
    names = tuple(names)
    levels = {level_of(name) for name in names} - {None}
    single = [name for name in names if level_of(name) is not None]
    if _held([name for name in names if name not in single], group.parts[0].stands):
        return []
    places = sorted(LEVELS.index(level) for level in levels if level in LEVELS)
    if not places:
        return [group.name]
    expected = {LEVELS.index(level) for level in CHEST_VERTEBRAE} | set(range(places[0], places[-1] + 1))
    lacks = sorted(expected - set(places))
    breaks = [0, *(n for n, (a, b) in enumerate(pairwise(lacks), start=1) if b != a + 1), len(lacks)]
    runs = [lacks[a:b] for a, b in pairwise(breaks) if a < b]
    return [
        f"vertebrae_{LEVELS[run[0]]}" + (f"_to_{LEVELS[run[-1]]}" if len(run) > 1 else "") for run in runs
    ]


_NOTHING_THERE = expected_missing({})
