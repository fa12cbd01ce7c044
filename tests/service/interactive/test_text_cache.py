"""TextCache: the last used texts that fit, with unchanged bytes."""

from hypothesis import given
from hypothesis import strategies as st

from service.interactive.text_cache import TextCache

STEPS = st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.binary(max_size=8)), max_size=40)


@given(STEPS)
def test_the_last_used_texts_that_fit_are_kept(steps: list[tuple[str, bytes | None]]) -> None:
    texts = TextCache(most_bytes=12)
    # An oracle: a list in order of use, of which the longest end that fits is kept.
    expected: list[tuple[str, bytes]] = []
    for name, text in steps:
        previous = dict(expected).get(name)
        if text is None:
            assert texts.get(name) == previous
            text = previous
        else:
            texts.keep(name, text)
        if text is not None:
            expected = [*((other, content) for other, content in expected if other != name), (name, text)]
        while sum(len(content) for _, content in expected) > 12:
            del expected[0]
        assert texts._bytes == sum(len(content) for _, content in expected)


def test_a_text_longer_than_the_cache_is_not_kept() -> None:
    texts = TextCache(most_bytes=3)
    texts.keep("a", b"1")
    texts.keep("b", b"1234")
    assert texts.get("a") is texts.get("b") is None
    texts.keep("a", b"123")
    assert texts.get("a") == b"123"
