"""Keys become paths: readable, and never each other's."""

from hypothesis import given
from hypothesis import strategies as st

from shared.homes.objects.keys import relative_path
from tests.shared.homes.objects.strategies import KEYS


@given(st.lists(KEYS, min_size=2, max_size=8, unique=True))
def test_paths_differ_and_none_is_the_folder_of_another(keys: list[str]) -> None:
    paths = {relative_path(key) for key in keys}
    folders = {folder for path in paths for folder in path.parents}
    assert len(paths) == len(keys)
    assert not paths & folders
    for path in paths:
        assert not path.is_absolute() and ".." not in path.parts and path.parts[0] != ".index"
        assert max(len(part.encode()) for part in path.parts) <= 255


def test_ordinary_names_stay_readable() -> None:
    assert str(relative_path("tenants/t1/dev/uploads/Été & 漢字 (3).wav")) == (
        "tenants/t1/dev/uploads/Été & 漢字 (3).wav"
    )


def test_a_name_stays_where_earlier_versions_put_it() -> None:
    stem = "x" * 196
    assert str(relative_path(f"{stem}.wav")) == f"{stem}.wav"
    shortened = f"{'x' * 150}%~3efbe1a32ff61bdbaa6404b9724ea110.wav"
    assert str(relative_path(f"{stem}x.wav")) == shortened
