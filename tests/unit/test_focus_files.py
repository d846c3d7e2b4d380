"""`focus` without a database: its settings, the names of its folders, its columns and versions."""

import pytest
from pydantic import ValidationError

from cloud_costs.charges import focus_versions
from cloud_costs.config.sources import Source
from cloud_costs.formats import FORMATS
from cloud_costs.formats.focus.deliveries import month_of
from cloud_costs.formats.focus.versions import VERSIONS, version_of


def source(form: str = "focus", **settings: object) -> Source:
    return Source.model_validate({"name": "vendor", "format": form, "uri": "s3://b/focus/", **settings})


@pytest.mark.parametrize("given", ["1.2", 1.2])
def test_version_may_be_named(given):
    assert source(focus_version=given).focus_version == "1.2"


@pytest.mark.parametrize("given", ["1.5", 2, "1.2 ", None, ["1.2"]])
def test_unknown_version_is_refused_with_those_that_are_known(given):
    with pytest.raises(ValidationError, match=r"is not allowed; allowed: 1\.0, 1\.1, 1\.2, 1\.3, 1\.4"):
        source(focus_version=given)


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"focus"}))
def test_version_is_refused_for_other_formats(form):
    with pytest.raises(ValidationError, match=f"it is not for {form}, whose files are of one kind; only for focus"):
        source(form, focus_version="1.2")
    assert source(form).focus_version is None


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_is_told_by_its_own_columns_and_extra_ones_tell_nothing(version):
    names = [column.name for column in focus_versions.columns_of_version(version)]
    assert version_of(names) == version
    assert version_of([*names, "x_Own", "oci_ReferenceNumber"]) == version
    assert version_of([name.upper() for name in names]) == version


@pytest.mark.parametrize(
    "name", ["2025-13", "2025-1", "2025-01-15", "20250101-20250301", "20250115-20250214", "2025", "202501x", "data", ""]
)
def test_name_that_says_no_month_is_none(name):
    assert month_of(name) is None


def test_list_without_a_configuration_has_no_other_way_in():
    with pytest.raises(ValidationError, match="accounts"):
        source(accounts="accounts.csv")
