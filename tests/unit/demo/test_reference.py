"""The direct computation, against rows computed by hand and the known counts of the whole table."""

from __future__ import annotations

from umbel.demo import source
from umbel.demo.reference import compute

HEADER = "month,dep_delay,arr_delay,carrier,tailnum,origin,dest\n"


def test_dirty_rows_are_told_apart_and_left_out(tmp_path):
    path = tmp_path / "flights.csv"
    path.write_text(
        HEADER
        + "1,2,11,UA,N1,EWR,IAH\n"  # clean
        + "1,-3,4,UA,N1,EWR,IAH\n"  # clean
        + "1,NA,NA,UA,NA,EWR,IAH\n"  # cancelled
        + "1,5,NA,UA,N1,EWR,IAH\n"  # diverted
        + "1,5,6,UA,N2,EWR,IAH\n"  # unknown aircraft
        + "2,5,6,MQ,N2,LGA,ORD\n"  # a fleet number: clean
    )
    found = compute(path, {"N1"})
    assert found.rejected == {"FLIGHT_CANCELLED": 1, "FLIGHT_DIVERTED": 1, "AIRCRAFT_UNKNOWN": 1}
    assert (found.flights, found.counted) == (6, 3)
    assert found.totals == [
        ("EWR", 1, 2, -1, 0, 0),
        ("IAH", 1, 0, 0, 2, 15),
        ("LGA", 2, 1, 5, 0, 0),
        ("ORD", 2, 0, 0, 1, 6),
    ]


def test_the_whole_table_has_the_counts_that_the_readme_names(tmp_path):
    data = source.find_data()
    source.copy_flights(data, tmp_path / "flights.csv", flights=source.ALL_FLIGHTS)
    found = compute(tmp_path / "flights.csv", source.known_tailnums(data))
    assert found.flights == 336_776
    assert found.rejected == {"FLIGHT_CANCELLED": 8_255, "FLIGHT_DIVERTED": 1_175, "AIRCRAFT_UNKNOWN": 2_204}
    assert found.counted == 325_142
    assert len(found.totals) == 1_148
