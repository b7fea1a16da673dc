"""Recordings by the names that people know, wherever an id is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from infra.command.desk import Desk
from shared.contracts.asset import Asset
from shared.errors import NotFound, ValidationError
from shared.runs.views import list_assets
from shared.steps.preparing import load_asset

_ID_PREFIXES = ("ast_", "art_", "run_")
_MOST_LISTED = 10


def looks_like_id(text: str) -> bool:
    """Is it an id of ours, rather than a name?"""
    return text.startswith(_ID_PREFIXES)


def recording(desk: Desk, text: str, *, half_erased: bool = False) -> Asset:
    """The recording that an id, a file's name (with or without extension) or path names.

    ``half_erased``: so may one whose erasure was cut short. Raises ``NotFound``, with the nearest names,
    and ``ValidationError`` that lists the candidates where several go by it.
    """
    if looks_like_id(text):
        return load_asset(desk.home, desk.ctx, text)
    listed = list_assets(desk.home.documents, desk.ctx)
    assets = [one for one in listed if half_erased or not one.erasing]
    wanted = Path(text).name
    for key in (_whole, _folded, _stem):
        found = [asset for asset in assets if key(wanted) in {key(name) for name in _names(asset)}]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValidationError(text, f"is several recordings: {_candidates(found)}")
    raise _unknown(text, assets) if assets else _empty(desk, text)


def recording_id(desk: Desk, text: str) -> str:
    """The id of the recording that an id or a name names; artifacts' and runs' ids as they are."""
    return text if looks_like_id(text) else recording(desk, text).asset_id


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean x?)``, or nothing where nothing is near."""
    near = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _empty(desk: Desk, text: str) -> NotFound:
    """The home is where a command was first given in this folder: elsewhere another one is looked into."""
    error = NotFound("recording", text)
    of_files = desk.settings.home == "embedded"
    where = f" in {desk.settings.data.absolute()}, and --data DIR names another home"
    error.message += f": there is none yet{where if of_files else ''}"
    return error


def _unknown(text: str, assets: Sequence[Asset]) -> NotFound:
    names = {name for asset in assets for name in _names(asset)}
    error = NotFound("recording", text)
    error.message += did_you_mean(text, names) or "; `rushes assets` lists them"
    return error


def _names(asset: Asset) -> list[str]:
    return [source.name for source in asset.sources]


_whole: Callable[[str], str] = str


def _folded(name: str) -> str:
    return name.casefold()


def _stem(name: str) -> str:
    return Path(name).stem.casefold()


def _candidates(found: Sequence[Asset]) -> str:
    told = [f"{asset.sources[0].name} {asset.asset_id}" for asset in found[:_MOST_LISTED]]
    more = len(found) - len(told)
    return ", ".join(told) + (f", and {more} more" if more else "")
