"""Recent texts: the last used that there is room for, and the very bytes."""

from hypothesis import given
from hypothesis import strategies as st

from service.interactive.text_cache import TextCache

STEPS = st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.binary(max_size=8)), max_size=40)


@given(STEPS)
def test_the_last_used_texts_that_fit_are_there(steps: list[tuple[str, bytes | None]]) -> None:
    texts = TextCache(most_bytes=12)
    # The same by a list, the last used last, of which the longest end that fits is there.
    used: list[tuple[str, bytes]] = []
    for name, text in steps:
        was = dict(used).get(name)
        if text is None:
            assert texts.get(name) == was
            text = was
        else:
            texts.keep(name, text)
        if text is not None:
            used = [*((other, its) for other, its in used if other != name), (name, text)]
        while sum(len(its) for _, its in used) > 12:
            del used[0]
        assert texts._bytes == sum(len(its) for _, its in used)


def test_a_text_that_is_longer_than_all_room_is_not_there() -> None:
    texts = TextCache(most_bytes=3)
    texts.keep("a", b"1")
    texts.keep("b", b"1234")
    assert texts.get("a") is texts.get("b") is None
    texts.keep("a", b"123")
    assert texts.get("a") == b"123"
