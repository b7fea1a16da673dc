from shared.contracts.plurals import many


def test_one_is_one_and_the_rest_are_many() -> None:
    assert [many(count, "loop") for count in (0, 1, 2, 1200)] == [
        *("0 loops", "1 loop", "2 loops", "1,200 loops")
    ]
    assert [many(count, "stretch", "stretches") for count in (1, 2)] == ["1 stretch", "2 stretches"]
