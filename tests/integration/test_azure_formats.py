"""Every Azure data set, agreement, file type and layout: the same bill gives its truth, to the last digit."""

from dataclasses import replace

import pytest
from azure_tenant import azure_source
from pipeline import JANUARY, cost_totals, load_month, truth_totals

from cloud_costs.demo.sample_bill.azure import AzureBill, write_month

BILL = AzureBill(lines=200)
DATA_SETS = {
    "EA": BILL,
    "MCA": replace(BILL, agreement="MCA"),
    "EA actual alone": replace(BILL, amortized=False),
    "MCA actual alone": replace(BILL, agreement="MCA", amortized=False),
    "pay as you go": replace(BILL, agreement="payg", amortized=False),
    "EA FOCUS 1.2": replace(BILL, format="azure_focus"),
    "MCA FOCUS 1.2": replace(BILL, agreement="MCA", format="azure_focus"),
    "MCA FOCUS 1.0": replace(BILL, agreement="MCA", format="azure_focus", focus_version="1.0"),
}
FILES = {
    "csv.gz": {},
    "csv": {"compression": "none"},
    "parquet": {"file_type": "parquet"},
    "parquet of doubles": {"file_type": "parquet", "decimals": "double"},
    "create-new": {"layout": "create-new"},
    "single csv": {"layout": "single", "compression": "none"},
}


FORMS = {name: bill for name, bill in DATA_SETS.items()} | {
    f"{name} {files}": replace(DATA_SETS[name], **options)
    for name in ("EA", "MCA FOCUS 1.2")
    for files, options in FILES.items()
}


@pytest.mark.parametrize("bill", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_truth(database, query, bucket, bill):
    write_month(bill, JANUARY, bucket)
    truth = write_month(bill, JANUARY, bucket, version=2)
    load_month(database, azure_source(bill, bucket), JANUARY)
    assert cost_totals(query, "azure", JANUARY) == truth_totals(truth)
    # Actual costs alone do not spread what a commitment costs.
    alone = bill.format == "azure_cost" and not bill.amortized and bill.agreement != "payg"
    warned = {"commitment_fees_are_spread"} if alone else set()
    assert {name for (name,) in query("select check_name from audit_results where not passed")} == warned
    assert query("select rows from load_history where status = 'published'") == [(truth.raw_lines,)]
    assert query("select note from load_history where note like '%DuckDB%'") == []
    assert query("select distinct cloud_provider from costs") == [("Microsoft",)]
