"""Literals are masked however they are written, also when the statement was cut in the middle."""

import time

import pytest

from apps.engine.sqltext import masked, pieces


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT * FROM t WHERE name = 'o''hara' AND n = 42", "SELECT * FROM t WHERE name = ? AND n = ?"),
        ("CREATE ROLE x PASSWORD 'secret'", "CREATE ROLE x PASSWORD ?"),
        (r"SELECT E'it\'s secret', 'a\'", "SELECT ?, ?"),
        ("SELECT $$secret$$, $b$sec$$ret$b$", "SELECT ?, ?"),
        ("SELECT $1, $2::int", "SELECT $1, $2::int"),
        ("SELECT 'cut in the mid", "SELECT ?"),
        (r"SELECT E'cut after a \ ".rstrip(), "SELECT ?"),
        ("SELECT $x$cut", "SELECT ?"),
        ("SELECT 1.5e-3, .5, 0xff, -7", "SELECT ?, ?, ?, -?"),
        ('SELECT t2.c3, "odd \'name" FROM t2', 'SELECT t2.c3, "odd \'name" FROM t2'),
        ("SELECT 1 -- password is 'x'\n, 2", "SELECT ? /* … */ , ?"),
        ("/* it's */ SELECT 'x'", "/* … */ SELECT ?"),
        ("SELECT U&'secret', B'01', x'ff'", "SELECT ?, ?, ?"),
        ("  SELECT\n\t1  ", "SELECT ?"),
    ],
)
def test_literals_are_masked(statement: str, shown: str) -> None:
    assert masked(statement) == shown


def test_shown_statements_keep_their_literals_but_hide_nothing_else() -> None:
    text = "".join(piece.text for piece in pieces("SELECT 'a\u202eb', 5", show=True))
    assert text == "SELECT 'a\\u202eb', 5"


def test_a_statement_on_one_line_is_broken_at_its_clauses_only() -> None:
    statement = (
        "SELECT a, (SELECT x FROM y WHERE z = $1) FROM t LEFT JOIN u ON t.i = u.i WHERE b = $2 AND c IS NULL ORDER BY a"
    )
    lines = "".join(piece.text for piece in pieces(statement, lines=True)).split("\n")
    assert lines == [
        "SELECT a, (SELECT x FROM y WHERE z = $1)",
        "FROM t",
        "  LEFT JOIN u ON t.i = u.i",
        "WHERE b = $2",
        "  AND c IS NULL",
        "ORDER BY a",
    ]


def test_the_writers_own_lines_stay() -> None:
    statement = "SELECT a\n  FROM t WHERE b = 1"
    assert "".join(piece.text for piece in pieces(statement, lines=True)) == "SELECT a\n  FROM t WHERE b = ?"


def test_keywords_are_told_from_names() -> None:
    assert [(p.text, p.kind) for p in pieces("select id from t where x = $1")] == [
        ("select", "kw"),
        (" id ", ""),
        ("from", "kw"),
        (" t ", ""),
        ("where", "kw"),
        (" x = ", ""),
        ("$1", "prm"),
    ]


@pytest.mark.parametrize(
    "nasty", ["'" * 20_000, "$" * 20_000, "E'\\" * 7_000, "/*" * 10_000, "(" * 20_000, '"' * 20_001]
)
def test_hostile_text_costs_no_more_than_its_length(nasty: str) -> None:
    begun = time.monotonic()
    pieces(nasty)
    assert time.monotonic() - begun < 1
