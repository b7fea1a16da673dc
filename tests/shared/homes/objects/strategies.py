"""Keys that no sane person would choose."""

from hypothesis import strategies as st

_parts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_hostile = st.sampled_from(
    ["..", ".", "", "-rf", "a\nb", "%2E", "a%", "~", "e\u202egpj.wav", "👩‍🎤", "con", "x" * 300]
)
KEYS = (
    st.lists(_parts | _hostile, min_size=1, max_size=6)
    .map("/".join)
    .filter(lambda key: 1 <= len(key.encode()) <= 1024 and key not in (".", ".."))
)
