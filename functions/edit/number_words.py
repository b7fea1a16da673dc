"""Numbers that are spelled out, in words as they were recognised.

A word that is a number whatever stands beside it (``seven``, ``einundzwanzig``) is one; what may also be
something else (``one``, ``oh``, ``sei``) is one beside another number, and so is what joins two (``and``). Of
recognisers most write digits, but spell out short numbers, and those that are said digit by digit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from functions.edit.spoken_phrases import letters_of
from shared.contracts.spoken_word import SpokenWord


@dataclass(frozen=True)
class _Spelling:
    """How a language writes numbers; words as ``letters_of`` gives them, with a space between."""

    surely: str
    """What is always a number, and of what longer ones are written in one."""
    perhaps: str
    """What is a number beside another."""
    joins: str
    """What stands between two."""
    within: str = ""
    """What stands between two in one word."""


_SPELLED: Mapping[str, _Spelling] = {
    "en": _Spelling(
        "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy "
        "eighty ninety hundred thousand million billion",
        "one oh o nought double triple treble",
        "and point dash",
        "one",
    ),
    "de": _Spelling(
        "null eins zwei zwo drei vier fünf sechs sieben acht neun zehn elf zwölf sechzehn "
        "siebzehn zwanzig dreissig vierzig fünfzig sechzig siebzig achtzig neunzig hundert "
        "tausend million millionen",
        "ein eine doppel",
        "und komma",
        "und ein",
    ),
    "fr": _Spelling(
        "zéro deux trois quatre cinq six sept huit dix onze douze treize quatorze quinze "
        "seize vingt vingts trente quarante cinquante soixante septante huitante nonante cent "
        "cents mille million millions",
        "un une neuf double triple",
        "et virgule tiret",
        "et un une neuf",
    ),
    "es": _Spelling(
        "cero dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
        "dieciséis dieciseis dieci veinte veinti veintiún veintidós veintitrés veintiséis "
        "treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ciento cientos "
        "doscientos trescientos quinientos setecientos novecientos mil millón millones",
        "un uno una doble triple",
        "y coma punto",
        "uno",
    ),
    "it": _Spelling(
        "zero due tre tré quattro cinque sette otto nove dieci undici dodici tredici "
        "quattordici quindici sedici diciassette diciotto diciannove venti vent trenta trent "
        "quaranta quarant cinquanta cinquant sessanta sessant settanta settant ottanta ottant "
        "novanta novant cento cent mille mila milione milioni",
        "un uno una sei doppio triplo",
        "e virgola",
        "uno sei",
    ),
    "pt": _Spelling(
        "zero dois duas três tres quatro cinco seis sete oito nove dez onze doze treze "
        "catorze quatorze quinze dezesseis dezasseis dezessete dezassete dezoito dezenove "
        "dezanove vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem cento "
        "duzentos trezentos quinhentos mil milhão milhões",
        "um uma meia duplo",
        "e vírgula ponto",
    ),
    "nl": _Spelling(
        "nul twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien "
        "vijftien zestien zeventien achttien negentien twintig dertig veertig vijftig zestig "
        "zeventig tachtig negentig honderd duizend miljoen",
        "een één dubbel",
        "en komma",
        "en ën een één",
    ),
}
"""Language -> its numbers; of others, only what is written in digits or numerals is told."""


def numbers_at(words: Sequence[SpokenWord], language: str) -> Iterator[int]:
    """Places of words that are numbers, or parts of one, rising.

    With a digit in it, or of numerals alone (``三百``), a word is one in any language; ``language`` (ISO
    639-1) says how others are spelled.
    """
    kinds = [_kind(letters_of(word.text), language) for word in words]
    for some, group in groupby(range(len(kinds)), key=lambda at: bool(kinds[at])):
        run = list(group)
        while run and kinds[run[-1]] == "joins":
            run.pop()
        while run and kinds[run[0]] == "joins":
            run.pop(0)
        told = [kinds[at] for at in run]
        if some and ("surely" in told or told.count("perhaps") > 1):
            yield from run


def _kind(letters: str, language: str) -> str:
    """``surely``, ``perhaps`` or ``joins``; empty for a word that is no number."""
    if any(map(str.isdigit, letters)) or (letters and all(map(str.isnumeric, letters))):
        return "surely"
    spelling = _SPELLED.get(language)
    if spelling is None:
        return ""
    if letters in spelling.perhaps.split():
        return "perhaps"
    if letters in spelling.joins.split():
        return "joins"
    return "surely" if _pattern(language).fullmatch(letters) else ""


@cache
def _pattern(language: str) -> re.Pattern[str]:
    """One number in one word: parts of which one at least is surely a number."""
    spelling = _SPELLED[language]
    sure, within = "|".join(spelling.surely.split()), "|".join(spelling.within.split())
    return re.compile(f"(?:{within})*(?:{sure})(?:{sure}|{within})*" if within else f"(?:{sure})+")
