from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from umbel.config.layers import BUILT_IN, Kind, Layer, Origin, merge, overlay, walk

NAMES = st.sampled_from("abc")
TREES = st.dictionaries(
    NAMES,
    st.recursive(st.integers(0, 9), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=8),
    max_size=3,
)


def layer(tree, number):
    return Layer(tree, {path: Origin(Kind.FILE, file=f"{number}.toml", line=1) for path, _ in walk(tree)})


# As in the model: the same name is a table in every layer, or a value in every layer.
SHAPED = st.recursive(
    st.dictionaries(NAMES, st.integers(0, 9), max_size=3),
    lambda inner: st.tuples(inner, st.dictionaries(st.sampled_from("TU"), inner, max_size=2)).map(
        lambda pair: {**pair[0], **pair[1]}
    ),
    max_leaves=6,
)

LAYERS = st.lists(TREES, max_size=4).map(lambda trees: [layer(tree, n) for n, tree in enumerate(trees)])


@given(SHAPED, SHAPED, SHAPED)
def test_layers_of_one_shape_may_be_merged_in_any_grouping(a, b, c):
    one, two, three = layer(a, 1), layer(b, 2), layer(c, 3)
    assert overlay(overlay(one, two), three) == overlay(one, overlay(two, three))


@given(LAYERS)
def test_the_highest_layer_that_says_a_value_wins_and_is_its_origin(layers):
    merged = merge(layers)
    for path, value in walk(merged.values):
        if isinstance(value, dict):
            continue
        last = [item for item in layers if item.says(path)][-1]
        said = last.values
        for name in path:
            said = said[name]
        assert said == value
        assert merged.origin_of_value(path) == last.origins[path]


@given(LAYERS)
def test_every_value_has_an_origin_and_no_origin_is_left_over(layers):
    merged = merge(layers)
    assert set(merged.origins) == {path for path, _ in walk(merged.values)}


@given(TREES)
def test_an_empty_layer_changes_nothing(tree):
    one = layer(tree, 1)
    assert overlay(one, Layer()) == overlay(Layer(), one) == one


@given(LAYERS)
def test_merging_changes_no_layer(layers):
    before = repr(layers)
    merge(layers)
    assert repr(layers) == before


def test_a_scalar_over_a_table_takes_its_origins_away():
    merged = merge([layer({"a": {"b": 1}}, 1), layer({"a": 5}, 2)])
    assert merged.values == {"a": 5}
    assert merged.origin_of_value(("a", "b")) == BUILT_IN


def test_an_origin_reads_as_a_place():
    assert str(Origin(Kind.FILE, file="config/default.toml", line=7)) == "config/default.toml:7"
    assert str(Origin(Kind.DOTENV, file=".env", line=3)) == ".env:3"
    assert str(Origin(Kind.ENVIRONMENT, variable="UMBEL__BROKER__URL")) == "environment UMBEL__BROKER__URL"
    assert str(Origin(Kind.ARGUMENT)) == "argument of the program"
    assert str(BUILT_IN) == "built-in default"
