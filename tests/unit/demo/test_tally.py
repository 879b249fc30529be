"""Tallies can be added up in any grouping, also through JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from umbel.demo.tally import Tally

FLIGHTS = st.lists(
    st.fixed_dictionaries(
        {
            "month": st.integers(1, 12),
            "origin": st.sampled_from(["JFK", "LGA", "EWR"]),
            "dest": st.sampled_from(["MIA", "ORD", "LGA"]),
            "dep_delay": st.integers(-60, 1500),
            "arr_delay": st.integers(-60, 1500),
        }
    )
)


def tally_of(flights):
    tally = Tally()
    for flight in flights:
        tally.add(**flight)
    return tally


@given(FLIGHTS, st.integers(0, 100))
def test_the_parts_add_up_to_the_whole(flights, at):
    merged = Tally()
    for part in (flights[at:], flights[:at]):
        merged.merge(json.loads(json.dumps(tally_of(part).rows())))
    assert merged.rows() == tally_of(flights).rows()


@given(FLIGHTS)
def test_every_flight_counts_once_where_it_left_and_once_where_it_arrived(flights):
    rows = tally_of(flights).rows()
    assert sum(row[2] for row in rows) == sum(row[4] for row in rows) == len(flights)
    assert sum(row[3] for row in rows) == sum(flight["dep_delay"] for flight in flights)
    assert sum(row[5] for row in rows) == sum(flight["arr_delay"] for flight in flights)
