"""Where a line or a cue may end: what people leave together, by language, as data and one cost.

The rules are those of Netflix's and the BBC's guides: break after punctuation, before conjunctions and
prepositions; never between an article and its noun, a verb and its auxiliary, pronoun or negation, a
first and a last name, a number and what it counts. The lists hold closed classes, which don't grow:
other words than these are told by punctuation, pauses, capitals and digits alone, in any language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from shared.contracts.spoken_word import SpokenWord

SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "۔", "।")
CLAUSE_ENDS = (",", ";", ":", "–", "—", "、", "，", "；", "：", "،", "؛")
_CLOSING = "\"'”’»)]」』）"
_OPENING = "\"'“‘«([「『（¿¡"
PAUSE_MS = 500

NEVER, UNLOVED, PLAIN, BEFORE_PREPOSITION, OPENS, CLAUSE, SENTENCE = 7, 4.5, 2.5, 1.9, 1.4, 0.7, 0.0
"""What ending there costs, from the worst place to the best."""


@dataclass(frozen=True)
class Grammar:
    """The closed classes of one language."""

    clinging: frozenset[str]
    """Articles, possessives, auxiliaries, pronouns before a verb, negations, degrees: they cling to
    what follows."""
    prepositions: frozenset[str]
    """A break before them is fair; after them never."""
    openers: frozenset[str]
    """Conjunctions and relatives: a clause begins with them."""
    noun_capitals: bool = False
    """Nouns are written with capitals, so that capitals tell no names."""


def _grammar(
    clinging: str, prepositions: str, openers: str, *, noun_capitals: bool = False
) -> Grammar:
    clings, before, opens = (frozenset(x.split()) for x in (clinging, prepositions, openers))
    return Grammar(clings, before, opens, noun_capitals)


GRAMMARS: Mapping[str, Grammar] = {
    "en": _grammar(
        "a an the this these those my your his her its our their some any no every each another very too"
        " so quite rather more most less i you he she it we they may might can could will would shall"
        " should must do does did don't doesn't didn't can't won't am is are was were be been being"
        " isn't aren't wasn't weren't have has had haven't hasn't hadn't i'm you're we're they're it's"
        " he's she's i've you've we've they've i'll you'll he'll she'll we'll they'll i'd not never"
        " mr. mrs. ms. dr. st. prof. sir saint mount let's there's that's hundred thousand million"
        " billion",
        "of in on at by for from to with into onto over under between among through during about"
        " against before after without within upon across behind beyond toward towards until since"
        " than as like near off per",
        "and but or nor yet because although though while when where which who whom whose that if"
        " unless whether what how why",
    ),
    "de": _grammar(
        "der die das den dem des ein eine einen einem einer eines kein keine keinen mein meine sein"
        " seine ihr ihre unser unsere dieser diese dieses jeder jede jedes ich du er sie es wir man"
        " nicht nie sehr zu so ganz bin bist ist sind war waren habe hat haben hatte wird werden würde"
        " kann können muss müssen soll sollen will wollen darf mag herr frau dr. hundert tausend"
        " millionen milliarden",
        "in im an am auf aus bei beim mit nach von vom zu zum zur vor für gegen ohne um durch über"
        " unter zwischen hinter neben seit bis während wegen trotz",
        "und aber oder denn sondern weil dass daß wenn als ob obwohl damit während bevor nachdem"
        " sodass wo wie wer was",
        noun_capitals=True,
    ),
    "fr": _grammar(
        "le la les un une des du ce cet cette ces mon ma mes ton ta tes son sa ses notre nos votre vos"
        " leur leurs je tu il elle on nous ils elles me te se lui ne pas très plus trop si est sont"
        " suis es sommes était étaient a ai as ont avait avaient va vont peut peuvent doit doivent faut"
        " y en m. mme dr",
        "de à en dans par pour sur sous avec sans chez vers entre contre depuis pendant avant après"
        " jusqu'à au aux",
        "et mais ou donc or ni car que qui quand si comme lorsque puisque parce quoique où dont",
    ),
    "es": _grammar(
        "el la los las un una unos unas este esta estos estas ese esa mi mis tu tus su sus nuestro"
        " nuestra yo él ella nosotros ellos me te se lo le les nos no nunca muy más tan es son está"
        " están era eran fue ha han he había habían va van puede pueden debe deben hay sr. sra. don"
        " doña",
        "de a en con por para sin sobre entre hasta desde contra hacia según durante del al ante bajo",
        "y e pero o u sino porque que quien cuando si como aunque mientras donde pues",
    ),
    "it": _grammar(
        "il lo la i gli le un uno una questo questa questi queste mio mia suo sua nostro nostra loro io"
        " tu lui lei noi voi mi ti si ci vi non mai molto più così è sono era erano ha hanno ho aveva"
        " può possono deve devono sig. dott.",
        "di a da in con su per tra fra del della dei delle al alla ai nel nella dal dalla sul sulla"
        " senza verso contro durante",
        "e ed ma o oppure perché che chi quando se come mentre dove quindi anche",
    ),
    "pt": _grammar(
        "o a os as um uma uns umas este esta esse essa meu minha seu sua nosso nossa eu ele ela nós eles"
        " me te se lhe não nunca muito mais tão é são está estão era eram foi tem têm havia vai vão pode"
        " podem deve devem sr. sra. dom dona",
        "de a em com por para sem sobre entre até desde contra do da dos das no na nos nas ao à pelo"
        " pela durante",
        "e mas ou porque que quem quando se como embora enquanto onde pois",
    ),
    "nl": _grammar(
        "de het een deze dit die dat mijn jouw zijn haar ons onze hun ik jij je hij zij ze wij we niet"
        " nooit heel erg zeer te is was waren ben bent heeft hebben had hadden wordt worden kan kunnen"
        " moet moeten zal zullen wil mag meneer mevrouw",
        "van in op aan bij met naar door voor uit over onder tussen tegen zonder om tot sinds tijdens",
        "en maar of want omdat dat als toen terwijl hoewel waar wie wat hoe",
    ),
}
_NONE = Grammar(frozenset(), frozenset(), frozenset())

_NO_LINE_BEGINS_WITH = frozenset(
    "、。，．・：；？！ー）」』】〉》ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ々ゝ％"
)
_NO_LINE_ENDS_WITH = frozenset("（「『【〈《“‘￥＄")
"""Japanese and Chinese line breaking (JIS X 4051, W3C's jlreq 3.1.7 and 3.1.8)."""
_PARTICLES = frozenset(
    (*"がをにでともはへやかねよの的了吗呢吧着过们", "から", "まで", "より", "だけ")
)
"""Japanese and Chinese ones belong to what stands before them."""


@lru_cache(maxsize=64)
def grammar_of(language: str) -> Grammar:
    """The language's, or one without words."""
    return GRAMMARS.get(language.lower().replace("_", "-").split("-")[0], _NONE)


def break_cost(before: SpokenWord, after: SpokenWord, grammar: Grammar) -> float:
    """Of ending a line or a cue between two words: from ``SENTENCE`` to ``NEVER``."""
    if after.text[:1] in _NO_LINE_BEGINS_WITH or before.text[-1:] in _NO_LINE_ENDS_WITH:
        return NEVER
    if ends_sentence(before, grammar):
        return SENTENCE
    if before.text.rstrip(_CLOSING).endswith(CLAUSE_ENDS):
        return CLAUSE
    first = _bare(before.text)
    clings = first in grammar.clinging or first in grammar.prepositions
    if after.start_ms - before.end_ms >= PAUSE_MS:
        return PLAIN if clings else CLAUSE
    return NEVER if clings else _cost_by_words(before, after, grammar)


def _cost_by_words(before: SpokenWord, after: SpokenWord, grammar: Grammar) -> float:
    first, second = _bare(before.text), _bare(after.text)
    if after.joined:
        return NEVER if second in _PARTICLES else OPENS if first in _PARTICLES else PLAIN
    if _is_number(first) or _is_number(second) or _is_name(before, after, grammar):
        return UNLOVED
    if second in grammar.openers:
        return OPENS
    return BEFORE_PREPOSITION if second in grammar.prepositions else PLAIN


def ends_sentence(word: SpokenWord, grammar: Grammar) -> bool:
    """Does a sentence end with it? ``Mr.`` ends none."""
    ended = word.text.rstrip(_CLOSING).endswith(SENTENCE_ENDS)
    return ended and _bare(word.text) not in grammar.clinging


def _bare(text: str) -> str:
    return text.lower().strip(_CLOSING + _OPENING).replace("’", "'")


def _is_number(text: str) -> bool:
    return any(sign.isdigit() for sign in text)


def _is_name(before: SpokenWord, after: SpokenWord, grammar: Grammar) -> bool:
    """Two words with capitals, one after the other, in a language that writes other nouns small."""
    first, second = before.text.lstrip(_OPENING), after.text.lstrip(_OPENING)
    capitals = first[:1].isupper() and second[:1].isupper()
    return capitals and not grammar.noun_capitals and first.lower() not in ("i", "i'm")
