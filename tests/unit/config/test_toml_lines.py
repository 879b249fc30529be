from __future__ import annotations

import tomllib

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from umbel.config.layers import walk
from umbel.config.toml_lines import locate

TEXT = """\
# a comment with = and [brackets]
top = 1

[broker]   # where messages wait
url = "sqlite:///a#b.db"  # not a comment inside
lease = '15s'
multi = \"\"\"
fake = 1
[fake]
\\\"\"\" still inside\"\"\"\"\"
raw = '''
also = "fake"
'''
list = [
  1, # one
  { a = 1, b = [2] },
  "]",
]
day = 1979-05-27 07:32:00
"quoted key".'sub.key' = true
inline = { x = 1, "y z" = { deep = 2 } }

  [ tasks . retry ]
  attempts = 5
[[array]]
name = "first"
[[array]]
name = "second"
last = false
"""


def test_every_key_has_the_line_on_which_it_stands():
    lines = locate(TEXT)
    assert lines == {
        ("top",): 2,
        ("broker",): 4,
        ("broker", "url"): 5,
        ("broker", "lease"): 6,
        ("broker", "multi"): 7,
        ("broker", "raw"): 11,
        ("broker", "list"): 14,
        ("broker", "day"): 19,
        ("broker", "quoted key"): 20,
        ("broker", "quoted key", "sub.key"): 20,
        ("broker", "inline"): 21,
        ("broker", "inline", "x"): 21,
        ("broker", "inline", "y z"): 21,
        ("broker", "inline", "y z", "deep"): 21,
        ("tasks",): 23,
        ("tasks", "retry"): 23,
        ("tasks", "retry", "attempts"): 24,
        ("array",): 25,
        ("array", "name"): 26,
        ("array", "last"): 29,
    }
    assert {path for path, _ in walk(tomllib.loads(TEXT))} <= set(lines)


SCALARS = st.one_of(st.text(max_size=30), st.integers(-(2**40), 2**40), st.booleans(), st.floats(allow_nan=False))
TREES = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.one_of(SCALARS, st.lists(SCALARS, max_size=4)),
        lambda inner: st.one_of(st.dictionaries(st.text(max_size=8), inner, max_size=4), st.lists(inner, max_size=3)),
        max_leaves=12,
    ),
    max_size=6,
)


@given(TREES, st.booleans())
def test_every_key_of_any_document_is_found_on_a_line_that_holds_it(tree, multiline):
    text = tomli_w.dumps(tree, multiline_strings=multiline)
    lines, rows = locate(text), text.split("\n")
    for path, _ in walk(tomllib.loads(text)):
        row = rows[lines[path] - 1]
        assert path[-1] in row or "\\" in row


def test_an_empty_document_has_no_keys():
    assert locate("") == locate("# only a comment") == {}
