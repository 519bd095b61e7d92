"""The one layout of tables that every explanation prints."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from micrograd.value.words.tables import Table

TABLE = Table(
    "Two < three", ["weight", "n", "grad"], [["w & b", 2, 0.1234567], ["", 10, -1e-9]], "one\ntwo"
)


class Tags(HTMLParser):
    """Collect the tags and attributes of a piece of HTML, and whether they close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.used: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.used.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_text_has_numbers_to_the_right_and_six_digits() -> None:
    assert str(TABLE).splitlines() == [
        "Two < three",
        "weight   n      grad",
        "--------------------",
        "w & b    2  0.123457",
        "        10    -1e-09",
        "one",
        "two",
    ]


def test_html_says_the_same_and_needs_no_style_sheet() -> None:
    tags = Tags(TABLE._repr_html_())
    assert tags.used == {"table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
    assert tags.attributes == {"style"}
    rows = ["w & b", "2", "0.123457", "10", "-1e-09"]
    assert tags.texts == ["Two < three", "weight", "n", "grad", *rows, "one", "two"]


def test_a_table_without_rows_is_a_header() -> None:
    assert str(Table("", ["a", "b"], [])) == "a  b\n----"
    assert Tags(Table("", ["a", "b"], []).html()).texts == ["a", "b"]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has 2 columns, got a row of 1: \['x'\]"):
        Table("t", ["a", "b"], [["x"]])
