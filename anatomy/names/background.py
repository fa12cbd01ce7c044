"""Background: the names that tools and people give to label 0.

"Background (air)", "arrière-plan", "背景"      contains a word that means background and nothing else
"Label 0", "none of the above", "air"          contains only words that name no organ
"???", ""                                      contains no letter and no digit of any script
"body", "сердце", "7"                          none of these: the table counts labels from 0
"""

import re
import unicodedata

_BACKGROUND = """
    background  backgrounds  backgrnd  bckg  bckgrnd  bkg  bkgd  bkgnd  unlabeled  unlabelled  unassigned
    unannotated  unsegmented  hintergrund  achtergrond  arka_plan  arkaplan  arriere_plan  bakgrund  bakgrunn
    baggrund  tausta  hatter  pozadi  pozadina  ozadje  latar_belakang  фон  φοντο  背景  배경  רקע  خلفية
    पृष्ठभूमि
"""
"""Words that mean background anywhere in a name; nnU-Net and TotalSegmentator use "background"."""

_NO_ORGAN = """
    air  bg  clear  empty  exterior  ignore  ignored  nan  nil  nolabel  none  nothing  null  other  others
    outside  remainder  rest  undefined  unknown  unspecified  void  zero  0
    aer  aire  altro  andere  ar  aria  aucun  autre  diger  exterieur  fond  fondo  fundal  fundo
    geen  keine  leer  luft  nada  nenhum  nessuno  nichts  ninguno  otro  outro  reste  resto  rien  tlo
    vacio  vide  yok
    воздух  нет  ничего  空气  空気  無  无  其他  その他  공기  기타
"""
"""Words that name no organ by themselves: with another word they may be part of one ("larynx_air", "fondo
gástrico"). ITK-SNAP writes Clear Label, FreeSurfer Unknown, Workbench ???."""

_BETWEEN = """
    a  above  all  and  class  de  du  e  el  et  everything  la  label  le  no  not  of  or  the  und  value
    von  y
"""
"""Filler words, which may accompany those above and mean nothing alone."""

_UNSPACED = re.compile("[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
"""Scripts that write words without spaces, or attach endings to them."""


def names_background(name: str) -> bool:
    """Whether the name that a table gives to label 0 means background, and no structure."""
    words = _words(name)
    if not words:
        return not any(c.isalnum() for c in name)
    spaced = f" {' '.join(words)} "
    if any(f" {word} " in spaced or (_UNSPACED.match(word) and word in spaced) for word in _STRONG):
        return True
    meaningful = [word for word in words if word not in _FILLING]
    if not meaningful:
        return words == ["no", "label"]
    return all(word in _WEAK for word in meaningful)


def _words(name: str) -> list[str]:
    """A name's words in lower case and without accents; "ClearLabel" gives two."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    plain = "".join(c for c in unicodedata.normalize("NFKD", split) if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", plain).casefold())


_STRONG = frozenset(" ".join(_words(word)) for word in _BACKGROUND.split())
_WEAK = frozenset(folded for word in _NO_ORGAN.split() for folded in _words(word))
_FILLING = frozenset(_BETWEEN.split())
