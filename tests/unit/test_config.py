"""Configuration: every mistake is told with the file, the key and what is allowed."""

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_costs import environment
from cloud_costs.config import sources as config
from cloud_costs.config.sources import load_sources, pick_sources, schema_name
from cloud_costs.database.sql_files import check_names
from cloud_costs.errors import ConfigError

EXAMPLE = Path(config.__file__).parents[2] / "config" / "sources.example.yaml"
ONE = "sources:\n  - name: cup\n    format: aws_cur\n    uri: s3://billing/cup/report/\n"


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "my sources.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return {"CLOUD_COSTS_CONFIG": str(path)}

    return write


def test_example_is_valid():
    [cup] = load_sources({"CLOUD_COSTS_CONFIG": str(EXAMPLE)})
    assert (cup.name, cup.format, cup.conn_id) == ("cup", "aws_cur", "aws_default")
    assert cup.first_month == date(2024, 1, 1)
    assert cup.tags == ("user:team", "user:environment")
    assert (cup.raw_table, cup.focus_view, cup.normalized_table) == ("raw_cup", "cup_focus", "cup_normalized")


def test_smallest_source_has_name_format_and_uri(written):
    [cup] = load_sources(written(ONE))
    assert (cup.first_month, cup.tags, dict(cup.checks), cup.conn_id) == (None, (), {}, "aws_default")
    assert (cup.raw, cup.raw_months, cup.streams) == ("all", None, 2)


@pytest.mark.parametrize(
    ("uri", "conn_id"),
    [
        ("gs://billing-eu/focus/", "google_cloud_default"),
        ("abfss://costs@billing.dfs.core.windows.net/exports/daily/", "wasb_default"),
        ("abfss://$web@billing.z01.dfs.storage.azure.net/exports/", "wasb_default"),
        ("abfss://costs@billing.dfs.core.usgovcloudapi.net/", "wasb_default"),
        ("file:///bills/", "aws_default"),
    ],
)
def test_connection_is_the_default_of_the_cloud(written, uri, conn_id):
    [cup] = load_sources(written(ONE.replace("s3://billing/cup/report/", uri)))
    assert (cup.uri, cup.conn_id) == (uri, conn_id)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("wasbs://costs@billing.blob.core.windows.net/daily", "abfss://costs@billing.dfs.core.windows.net/daily"),
        ("abfs://costs@billing.dfs.core.windows.net/daily", "abfss://costs@billing.dfs.core.windows.net/daily"),
        ("https://billing.blob.core.windows.net/costs/a/b", "abfss://costs@billing.dfs.core.windows.net/a/b"),
        ("https://billing.dfs.core.windows.net/costs?sig=a", "abfss://costs@billing.dfs.core.windows.net/"),
        ("https://storage.googleapis.com/billing-eu/a/", "gs://billing-eu/a/"),
        ("gcs://billing-eu", "gs://billing-eu/"),
        ("abfss://costs@billing/a/", "abfss://container@account.dfs.core.windows.net/folder/ or file:///folder/"),
    ],
)
def test_other_spelling_of_an_address_is_told_ours(written, uri, told):
    with pytest.raises(ConfigError) as raised:
        load_sources(written(ONE.replace("s3://billing/cup/report/", uri)))
    assert str(raised.value).endswith(f" write it as {told}") or str(raised.value).endswith(told)


def test_raw_lines_may_be_fewer(written):
    [cup] = load_sources(written(ONE + "    raw: mapped\n    raw_months: 13\n"))
    assert (cup.raw, cup.raw_months) == ("mapped", 13)


def test_uri_ends_with_a_slash_however_it_was_written(written):
    assert load_sources(written(ONE))[0].uri == "s3://billing/cup/report/"
    assert load_sources(written(ONE.replace("report/", "report")))[0].uri == "s3://billing/cup/report/"


@pytest.mark.parametrize(
    "uri",
    ["s3://billing", "s3://billing//report/", "s3://billing/prefix//report/", "file:///my bills/Jänner/r/", "file:///"],
)
def test_uri_keeps_every_byte_of_a_key(written, uri):
    assert load_sources(written(ONE.replace("s3://billing/cup/report/", uri)))[0].uri.rstrip("/") == uri.rstrip("/")


def test_file_with_a_byte_order_mark_is_read(written):
    assert load_sources(written(b"\xef\xbb\xbf" + ONE.encode()))[0].name == "cup"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: cup", "name: Cup", "sources[0].name: 'Cup' is not allowed; use up to 30 lower-case letters"),
        ("name: cup", "name: 1cup", "sources[0].name: '1cup' is not allowed"),
        ("name: cup", "name: cup-eu", "sources[0].name: 'cup-eu' is not allowed"),
        ("name: cup", "name: " + "c" * 31, "is not allowed; use up to 30"),
        ("name: cup", 'name: "cup\\n"', "sources[0].name: 'cup\\n' is not allowed"),
        ("name: cup", "name: on", "sources[0].name: Input should be a valid string"),
        ("name: cup", "name: cup_202501_7", "sources[0].name: 'cup_202501_7' is not allowed: partitions are named"),
        ("name: cup", "naem: cup", "sources[0].name: this key is missing"),
        ("name: cup", "name: cup\n    raw: some", "sources[0].raw: Input should be 'all' or 'mapped'"),
        ("name: cup", "name: cup\n    streams: 0", "sources[0].streams: Input should be greater than or equal"),
        ("name: cup", "name: cup\n    raw_months: 0", "sources[0].raw_months: Input should be greater than or equal"),
        ("name: cup", "name: cup\n    raw_months: 1.5", "sources[0].raw_months: Input should be a valid integer"),
        ("name: cup", "name: cup\n    raw_months: yes", "sources[0].raw_months: Input should be a valid integer"),
        ("name: cup", "naem: cup", "sources[0].naem: unknown key; allowed: name, format, uri, conn_id, first_month"),
        ("sources:", "source:", "source: unknown key; allowed: sources"),
        ("sources:", "sources:", None),
        ("aws_cur", "aws_kur", "sources[0].format: unknown format 'aws_kur'; allowed: aws_cur"),
        ("s3://billing/cup/report/", "billing/cup", "sources[0].uri: 'billing/cup' is not a storage address"),
        ("s3://billing", "s3a://billing", "write s3://bucket/folder/, gs://bucket/folder/, "),
        ("s3://billing", "s3://s3://billing", "is not a storage address"),
        ("s3://billing/cup", "s3:///cup", "is not a storage address"),
        ("s3://billing/cup/report/", "file://cup/report/", "is not a storage address"),
        ("uri: s3", "conn_id: a b\n    uri: s3", "sources[0].conn_id: 'a b' does not match"),
        ("uri: s3", "first_month: 2025-13\n    uri: s3", "sources[0].first_month: '2025-13' is not a month; write"),
        ("uri: s3", "first_month: 2025-01-01\n    uri: s3", "sources[0].first_month: '2025-01-01' is not a month"),
        ("uri: s3", "tags: user:team\n    uri: s3", "sources[0].tags: Input should be a valid tuple"),
        ("uri: s3", "tags: [user: team]\n    uri: s3", "sources[0].tags[0]: Input should be a valid string"),
        ("uri: s3", "checks: {nope: error}\n    uri: s3", f"unknown check 'nope'; allowed: {', '.join(check_names())}"),
        ("uri: s3", f"checks: {{{check_names()[0]}: off}}\n    uri: s3", "Input should be 'error'"),
    ],
)
def test_mistake_is_told_with_file_key_and_what_is_allowed(written, old, new, told):
    environ = written(ONE.replace(old, new))
    if told is None:
        assert load_sources(environ)
        return
    with pytest.raises(ConfigError) as raised:
        load_sources(environ)
    assert str(raised.value).startswith(f"{environ['CLOUD_COSTS_CONFIG']}: ")
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a mapping with the key 'sources'"),
        ("- name: cup", "expected a mapping with the key 'sources'"),
        ("just words", "expected a mapping with the key 'sources'"),
        ("sources:", "sources: Input should be a valid list"),
        ("sources: []", "sources: List should have at least 1 item"),
        ("sources: {cup: 1}", "sources: Input should be a valid list"),
        ("sources: [cup]", "sources[0]: Input should be a valid dictionary"),
        ("sources:\n  - name: [cup\n", "not valid YAML: line 3, column 1: "),
        ("sources:\n\t- name: cup\n", "not valid YAML: line 2, column 1: "),
        ("a: 2025-99-99", "not valid YAML: "),
        (b"sources: \xff\xfe", "not valid YAML: "),
        ("a: !!python/object/apply:os.getcwd []", "not valid YAML: "),
        (ONE + ONE, "not valid YAML: line 5, column 1: the key 'sources' is given twice"),
        (ONE + "    uri: s3://other/\n", "not valid YAML: line 5, column 5: the key 'uri' is given twice"),
    ],
)
def test_file_that_is_no_list_of_sources_is_told(written, text, told):
    environ = written(text)
    with pytest.raises(ConfigError) as raised:
        load_sources(environ)
    assert str(raised.value).startswith(f"{environ['CLOUD_COSTS_CONFIG']}: {told}")


def two(first, second, first_uri="s3://b/1/", second_uri="s3://b/2/"):
    return "sources:" + "".join(
        f"\n  - {{name: {name}, format: aws_cur, uri: '{uri}'}}"
        for name, uri in ((first, first_uri), (second, second_uri))
    )


def test_two_sources_come_in_the_order_of_the_file(written):
    assert [source.name for source in load_sources(written(two("zeta", "alpha")))] == ["zeta", "alpha"]


def test_name_given_twice_is_refused(written):
    with pytest.raises(ConfigError, match="the name 'cup' is given 2 times"):
        load_sources(written(two("cup", "cup")))


def test_report_configured_twice_is_refused_because_it_would_count_twice(written):
    with pytest.raises(ConfigError, match="'cup' and 'again' have the same uri, s3://b/1/; every cost would"):
        load_sources(written(two("cup", "again", second_uri="s3://b/1")))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("columns", "cup", "'columns' needs a relation 'raw_columns', which the package has already"),
        ("raw_cup", "cup_focus", "'cup_focus' needs a relation 'raw_cup_focus', which source 'raw_cup' has already"),
        ("cup_normalized", "raw_cup", "needs a relation 'raw_cup_normalized', which source 'cup_normalized' has"),
    ],
)
def test_names_whose_tables_would_collide_are_refused(written, first, second, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        load_sources(written(two(first, second)))


@given(st.from_regex(r"[a-z][a-z0-9_]{0,29}", fullmatch=True))
def test_every_allowed_name_leaves_room_for_its_partitions(name):
    assert len(f"{name}_normalized_202501_{10**12}".encode()) <= 63


def test_missing_file_is_told_with_the_variable_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file \(CLOUD_COSTS_CONFIG names it\)"):
        load_sources({"CLOUD_COSTS_CONFIG": str(tmp_path / "nowhere.yaml")})


def test_folder_in_place_of_the_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path}: cannot be read: Is a directory"):
        load_sources({"CLOUD_COSTS_CONFIG": str(tmp_path)})


@pytest.fixture
def _no_file(monkeypatch, tmp_path):
    monkeypatch.setattr(config, "DEFAULT_PATH", tmp_path / "sources.yaml")


def from_paths(paths, bucket="billing"):
    return {source.name: source.uri for source in load_sources({"S3_BUCKET": bucket, "CUR_PATHS": paths})}


@pytest.mark.usefixtures("_no_file")
def test_bucket_and_paths_make_sources_where_there_is_no_file():
    assert from_paths("cup/CUP-Report, eu/Report/,") == {
        "cup": "s3://billing/cup/CUP-Report/",
        "eu": "s3://billing/eu/Report/",
    }


@pytest.mark.usefixtures("_no_file")
def test_path_added_at_the_end_renames_no_source_before_it():
    assert from_paths("cup/One") == {"cup": "s3://billing/cup/One/"}
    assert from_paths("cup/One,cup/Two") == {"cup": "s3://billing/cup/One/", "cup_two": "s3://billing/cup/Two/"}


@pytest.mark.usefixtures("_no_file")
def test_path_becomes_a_name_that_is_allowed():
    assert from_paths("/Report") == {"report": "s3://billing//Report/"}
    assert from_paths("2025 Costs & Usage/r") == {"s_2025_costs_usage": "s3://billing/2025 Costs & Usage/r/"}
    assert list(from_paths("x" * 40)) == ["x" * 30]


@pytest.mark.usefixtures("_no_file")
def test_paths_that_give_one_name_are_refused():
    with pytest.raises(ConfigError, match="CUR_PATHS: 'cup/a-1' gives the name 'cup_a_1', which another path has"):
        from_paths("cup/x,cup/a_1,cup/a-1")


@pytest.mark.usefixtures("_no_file")
def test_bucket_written_as_an_address_is_refused():
    with pytest.raises(ConfigError, match=r"^S3_BUCKET and CUR_PATHS: sources\[0\].uri: 's3://s3://billing/cup'"):
        from_paths("cup", "s3://billing")


@pytest.mark.usefixtures("_no_file")
@pytest.mark.parametrize("environ", [{}, {"S3_BUCKET": "b"}, {"CUR_PATHS": "p"}, {"S3_BUCKET": "b", "CUR_PATHS": ","}])
def test_no_configuration_at_all_says_the_three_ways_to_give_one(environ):
    with pytest.raises(ConfigError, match=r"sources\.yaml .*CLOUD_COSTS_CONFIG .*S3_BUCKET and CUR_PATHS"):
        load_sources(environ)


def test_file_wins_over_bucket_and_paths(written):
    assert [one.name for one in load_sources({**written(ONE), "S3_BUCKET": "b", "CUR_PATHS": "other"})] == ["cup"]


def test_unknown_source_is_told_with_those_that_are_configured(written):
    sources = load_sources(written(two("cup", "eu")))
    with pytest.raises(ConfigError, match="'us' is not configured; configured are cup, eu"):
        pick_sources(sources, ["cup", "us"])
    assert pick_sources(sources, None) == pick_sources(sources, []) == sources
    assert [source.name for source in pick_sources(sources, ["eu"])] == ["eu"]


@pytest.mark.parametrize("name", [None, ""])
def test_schema_has_a_default(name):
    assert schema_name({} if name is None else {"POSTGRES_SCHEMA": name}) == "cost_analytics"


@pytest.mark.parametrize("name", ["Costs", "1st", "pg_costs", "a-b", 'a"b', "costs\n", "x" * 41, "information_schema"])
def test_schema_name_that_postgres_or_people_would_stumble_over_is_refused(name):
    with pytest.raises(ConfigError, match=r"POSTGRES_SCHEMA: .* is not allowed; use up to 40 lower-case letters"):
        schema_name({"POSTGRES_SCHEMA": name})


def test_database_settings_that_miss_are_named():
    with pytest.raises(ConfigError, match=r"POSTGRES_HOST, POSTGRES_USER is not set; \.env.example lists"):
        environment.database({"POSTGRES_DB": "costs"})


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "5432 "])
def test_port_that_is_none_is_refused(port):
    with pytest.raises(ConfigError, match=r"POSTGRES_PORT: .* is not a port; use a number from 1 to 65535"):
        environment.database(
            {"POSTGRES_HOST": "h", "POSTGRES_DB": "d", "POSTGRES_USER": "u", "POSTGRES_PORT": port},
        )


def test_database_is_called_by_where_it_is_and_never_by_its_password():
    database = environment.database(
        {"POSTGRES_HOST": "h", "POSTGRES_DB": "d", "POSTGRES_USER": "u", "POSTGRES_PASSWORD": "s3cret"}
    )
    assert (database.name, database.schema) == ("u@h:5432/d", "cost_analytics")
    assert "s3cret" not in repr(database)


AZURE = "sources:\n  - name: az\n    format: azure_cost\n    uri: s3://billing/exports/actual/\n"


def test_amortized_costs_may_be_an_export_of_their_own(written):
    [one] = load_sources(written(AZURE + "    amortized_uri: s3://billing/exports/amortized\n"))
    assert one.amortized_uri == "s3://billing/exports/amortized/"
    assert one.form.find_manifests is not load_sources(written(AZURE))[0].form.find_manifests


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ONE + "    amortized_uri: s3://b/k/\n", "amortized_uri: it is not for aws_cur, whose exports hold all costs"),
        (ONE + "    amortized_uri: s3://b/k/\n", "only for azure_cost"),
        (AZURE + "    amortized_uri: s3://billing/exports/actual\n", "amortized_uri: it is the same as uri"),
        (
            AZURE + "    amortized_uri: file:///exports/\n",
            "is in another storage than uri, s3://billing",
        ),
        (
            AZURE + "    amortized_uri: s3://billing/cup/report/\n" + ONE.removeprefix("sources:\n"),
            "'az' and 'cup' have the same uri, s3://billing/cup/report/",
        ),
        (
            AZURE.replace("s3://billing", "abfss://costs@first.dfs.core.windows.net")
            + "    amortized_uri: abfss://costs@second.dfs.core.windows.net/x/\n",
            "is in another storage than uri, abfss://costs@first.dfs.core.windows.net",
        ),
        (AZURE + "    manifest: none\n", "'none' is not for azure_cost: its deliveries need their manifests"),
    ],
)
def test_second_export_that_cannot_be_is_told(written, text, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        load_sources(written(text))
