"""Raw columns: names that PostgreSQL takes, told apart for ever, and types that lose nothing."""

import itertools

import pyarrow as pa
import pytest

from cloud_costs.demo.sample_bill.columns import CATEGORIES
from cloud_costs.demo.sample_bill.cur import csv_name
from cloud_costs.errors import ColumnTypeError
from cloud_costs.formats import FORMATS
from cloud_costs.formats.mapping import line_columns
from cloud_costs.loading.columns import MAX_NAME_BYTES, merge_types, raw_names, wider
from cloud_costs.loading.parquet_files import postgres_type


def test_athena_names_stay_as_they_are():
    names = ["line_item_unblended_cost", "resource_tags_user_cost_center"]
    assert raw_names(names) == {name: name for name in names}


@pytest.mark.parametrize("order", list(itertools.permutations(["Name", "name", "NAME"])))
def test_names_that_differ_in_case_alone_are_told_apart_whatever_their_order(order):
    names = raw_names(order)
    assert list(names) == list(order)
    assert names["name"] == "name"
    assert len(set(names.values())) == 3
    assert names == raw_names(sorted(order))


def test_known_column_keeps_its_name_when_another_comes():
    assert raw_names(["name", "Name"], {"Name": "name"})["Name"] == "name"
    assert raw_names(["name", "Name"], {"Name": "name"})["name"] != "name"


def test_column_of_another_spelling_continues_the_known_one():
    assert raw_names(["line_item_x"], {"LINE_ITEM_X": "line_item_x"}) == {"line_item_x": "line_item_x"}


def test_long_names_fit_and_differ():
    long = ["x" * 70 + "a", "x" * 70 + "b", "é" * 40, "é" * 41, "名" * 30]
    names = raw_names(long)
    assert len(set(names.values())) == len(long)
    assert all(len(name.encode()) <= MAX_NAME_BYTES for name in names.values())


def test_a_name_that_looks_like_a_digest_is_told_apart_too():
    digested = raw_names(["name", "Name"])["Name"]
    assert len(set(raw_names(["name", "Name", digested]).values())) == 3


@pytest.mark.parametrize("name", ["billing_period", "Billing_Period"])
def test_own_column_is_never_taken(name):
    assert raw_names([name])[name].startswith("billing_period_")


@pytest.mark.parametrize("name", ["", "\x00", "a\nb", "\ud800"])
def test_hostile_names_get_a_name(name):
    assert raw_names([name])[name].isprintable()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pa.list_(pa.decimal128(10, 2)), "jsonb"),
        (pa.map_(pa.string(), pa.string()), "jsonb"),
        (pa.struct([("a", pa.int64())]), "jsonb"),
        (pa.decimal128(38, 18), "numeric"),
        (pa.decimal256(76, 0), "numeric"),
        (pa.uint64(), "numeric"),
        (pa.timestamp("ns"), "timestamp without time zone"),
        (pa.timestamp("ms", "UTC"), "timestamp without time zone"),
        (pa.dictionary(pa.int32(), pa.string()), "text"),
        (pa.large_string(), "text"),
        (pa.null(), "text"),
        (pa.binary(16), "bytea"),
    ],
    ids=str,
)
def test_types_map(kind, expected):
    assert postgres_type(kind) == expected


def test_wider_is_symmetric_and_never_text():
    assert wider("integer", "bigint") == wider("bigint", "integer") == "bigint"
    assert wider("bigint", "double precision") is None
    assert wider("text", "numeric") is None


def test_clash_between_files_names_column_types_and_both_files():
    with pytest.raises(ColumnTypeError) as raised:
        merge_types("cup 2025-01", {"f1": {"c": "text"}, "f2": {"c": "boolean"}}, {})
    assert str(raised.value) == "cup 2025-01: column 'c' is boolean in f2, and text in f1; no type holds both"


def test_clash_with_what_is_published_says_so():
    with pytest.raises(ColumnTypeError, match="column 'c' is text in f1, and double precision in the published months"):
        merge_types("cup 2025-01", {"f1": {"c": "text"}}, {"c": "double precision"})


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_mapping_finds_every_column_whose_name_postgresql_has_no_room_for(name):
    """A name of more than 63 bytes is shortened, and ends in a digest of what the exporter wrote."""
    form = FORMATS[name]
    for column in line_columns(form.mapping):
        spellings = {column.name, csv_name(column.name)} if column.name in CATEGORIES else {column.name}
        for spelling in spellings:
            (found,) = raw_names([spelling], rule=form.raw_name).values()
            in_no_export = column.is_derived or column.expression or column.type in ("net", "count")
            assert found in column.raw_names or in_no_export, spelling


def test_one_mapped_name_is_too_long():
    long = {column.name for form in FORMATS.values() for column in line_columns(form.mapping)}
    assert [name for name in sorted(long) if len(name.encode()) > MAX_NAME_BYTES] == [
        "savings_plan_net_amortized_upfront_commitment_for_billing_period"
    ]
