"""The formats: a folder for each provider, which says how its exports are found and read.

What the columns of an export mean is in `include/sql/focus`. Every folder here is a provider's, and its `FORMATS` is a
dictionary of its formats by name. No list of providers has to be changed to add one.
"""

from dataclasses import replace
from functools import partial
from importlib import import_module
from pkgutil import iter_modules

from cloud_costs.formats import manifests
from cloud_costs.formats.delivery import Format, Manifest
from cloud_costs.months import MonthRange
from cloud_costs.storage.files import Storage


def _find_formats() -> dict[str, Format]:
    """Return the formats of all providers by name; raises `ValueError` for a name that two providers have."""
    found: dict[str, Format] = {}
    for module in iter_modules(__path__):
        if module.ispkg:
            formats: dict[str, Format] = import_module(f"{__name__}.{module.name}").FORMATS
            if twice := sorted(found.keys() & formats.keys()):
                raise ValueError(f"two providers have a format {twice[0]!r}")
            found |= formats
    return dict(sorted(found.items()))


FORMATS = _find_formats()


def with_amortized(form: Format, amortized_uri: str) -> Format:
    """Return the format for a source whose amortized costs are a second export, at `amortized_uri`.

    Raises `ValueError` for a format whose exports hold all costs.
    """
    # `Format` knows one uri, so the second one is bound here.
    if form.find_amortized is None:
        raise ValueError("its exports hold all costs, so there is no second one")
    find_amortized = form.find_amortized

    def find_manifests(source: str, uri: str, storage: Storage, months: MonthRange) -> list[Manifest]:
        return find_amortized(source, uri, amortized_uri, storage, months)

    return replace(form, find_manifests=find_manifests)


def without_manifests(form: Format) -> Format:
    """Return the format for a bucket that holds data files and no manifests: a listing stands for each manifest.

    Raises `ValueError` for a format that has no such mode.
    """
    if form.find_months is None:
        raise ValueError("its deliveries cannot be told apart without manifests")
    return replace(
        form,
        find_manifests=form.find_months,
        read_version=manifests.version_of_listing,
        read_delivery=partial(manifests.delivery_of_listing, file_types=form.file_types),
    )
