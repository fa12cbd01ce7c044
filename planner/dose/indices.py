"""Conformity, external and homogeneity index, as Wang et al. 2022 use them (10.5114/jcb.2022.113548).

         .-----------.  reference isodose: V_ref
       .'  .-------.  '.
       |   | T,ref |   |      CI = (V_T,ref / V_T) (V_T,ref / V_ref)
    ---+---+-------+---+--    EI = (V_ref - V_T,ref) / V_T
       |   |   T   |   |      HI = (V_T,ref - V_T,1.5ref) / V_T,ref
       '.  '-------'  .'
         '-----------'

These formulas reproduce the mean values of the paper. The reference dose is the prescription. V_ref is the
sum of the part in the target, from the target's own samples, and the part outside
(planner.dose.volume_outside). So V_ref is never less than V_T,ref, which a single count of V_ref would not
guarantee.
"""

from dataclasses import dataclass

from planner.dose.dvh import DoseVolume, volume_mm3_at

HOT = 1.5
"""The higher dose in HI, as a multiple of the reference dose (10.5114/jcb.2022.113548)."""


@dataclass(frozen=True)
class QualityIndices:
    """CI and EI at `reference_gy`, and HI, which is None where no part of the target gets that dose.

    CI is 1.0 at best, EI and HI 0.0. `reference_volume_mm3` is V_ref.
    """

    reference_gy: float
    reference_volume_mm3: float
    ci: float
    ei: float
    hi: float | None


def quality_indices(target: DoseVolume, reference_gy: float, outside_mm3: float) -> QualityIndices:
    """The three indices from the target's samples and the volume outside it that gets `reference_gy`.

    Where nothing gets that dose CI is 0.0: no part of the target is covered. [Gy, mm3]
    """
    covered = volume_mm3_at(target, reference_gy)
    hot = volume_mm3_at(target, HOT * reference_gy)
    reference = covered + outside_mm3
    return QualityIndices(
        reference_gy=reference_gy,
        reference_volume_mm3=reference,
        ci=covered / target.volume_mm3 * (covered / reference) if covered > 0.0 else 0.0,
        ei=outside_mm3 / target.volume_mm3,
        hi=(covered - hot) / covered if covered > 0.0 else None,
    )
