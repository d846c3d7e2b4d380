"""One name for one AWS service, whatever the export: as AWS's own FOCUS exports call it."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

import pytest
from deliveries import write_month
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill

BILL = Bill(lines=600)
FORMATS = ("aws_cur", "aws_cur2", "aws_focus")


def test_same_bill_has_the_same_services_in_every_format(database, query, bucket):
    """A company that has a usage report and a FOCUS export sees each service once."""
    expected = {}
    for form in FORMATS:
        bill = replace(BILL, format=form)
        truth = write_month(bill, JANUARY, bucket / form)
        uri = f"file://{bucket}/{form}/{bill.prefix}/{bill.report}/"
        load_month(database, Source(name=form, format=form, uri=uri), JANUARY)
        services = defaultdict(Decimal)
        for row in truth.rows:
            services[row.service] += row.billed_cost
        expected[form] = dict(services)
    found = defaultdict(dict)
    for source, service, cost in query("select source, service, sum(cost) from costs group by 1, 2"):
        found[source][service] = cost
    assert found == expected
    assert found["aws_cur"] == found["aws_cur2"] == found["aws_focus"]
    assert {"Amazon Elastic Compute Cloud", "Savings Plans for AWS Compute usage"} < found["aws_cur"].keys()
    assert not {"AmazonEC2", "AWSDataTransfer", "AWS Data Transfer", "ComputeSavingsPlans"} & found["aws_cur"].keys()


@pytest.mark.parametrize("form", FORMATS)
def test_units_publishers_and_issuers_are_those_of_the_focus_export(database, query, bucket, form):
    """The generator has them from a real FOCUS export, the mapping from its own table."""
    bill = replace(BILL, format=form)
    write_month(bill, JANUARY, bucket)
    load_month(database, Source(name="cup", format=form, uri=f"file://{bucket}/{bill.prefix}/{bill.report}/"), JANUARY)
    units = query("select distinct PricingUnit from focus_costs where PricingUnit is not null")
    assert {unit for (unit,) in units} == {
        *("DPU-Hours", "Events", "GB", "GB-Months", "Hours", "Lambda-GB-Seconds", "Metrics"),
        *("Queries", "ReadRequestUnits", "Requests", "TB", "Units", "WriteRequestUnits"),
    }
    assert query("select count(*) from focus_costs where ConsumedUnit <> PricingUnit") == [(0,)]
    publishers = dict(query("select ServiceName, max(PublisherName) from focus_costs group by 1"))
    assert publishers["Contoso Firewall “Pro”, hourly"] == "Contoso Security GmbH"
    assert publishers["Amazon Elastic Compute Cloud"] == "Amazon Web Services, Inc."
    issuers = dict(query("select ServiceName, max(InvoiceIssuerName) from focus_costs group by 1"))
    # The legacy report of this bill has no bill/InvoicingEntity, and a Marketplace's seller issues no invoice.
    market = None if form == "aws_cur" else "Amazon Web Services, Inc."
    assert issuers["Contoso Firewall “Pro”, hourly"] == market
    assert issuers["Amazon Elastic Compute Cloud"] == "Amazon Web Services, Inc."


@pytest.mark.parametrize(
    ("service", "columns"),
    [
        ("Amazon Elastic Compute Cloud", {}),
        ("Its own name", {"product_product_name": "Its own name", "product_servicename": "Another"}),
        (
            "Named by its service",
            {"product_servicecode": "AmazonEC2", "product_servicename": "Named by its service"},
        ),
        (
            "Amazon Elastic Compute Cloud",
            {"product_servicecode": "AWSDataTransfer", "product_servicename": "AWS Data Transfer"},
        ),
        ("AWS Data Transfer", {"line_item_product_code": "AWSDataTransfer"}),
        ("AWSBrandNew", {"line_item_product_code": "AWSBrandNew"}),
        ("x9k2marketplace", {"line_item_product_code": "x9k2marketplace", "bill_billing_entity": "AWS Marketplace"}),
    ],
)
def test_line_without_a_product_name_is_named_by_its_code(database, query, bucket, service, columns):
    write_delivery(bucket, [line(**columns)])
    load_month(database, crafted_source(bucket), JANUARY)
    assert query("select service, cost from costs") == [(service, Decimal("1.5"))]
    assert query("select ServiceName from focus_costs") == [(service,)]


def test_code_of_the_service_stays(database, query, bucket):
    transfer = {"product_servicecode": "AWSDataTransfer", "product_product_name": "Amazon Simple Storage Service"}
    write_delivery(bucket, [line(), line(line_item_product_code="AmazonS3", **transfer)])
    load_month(database, crafted_source(bucket), JANUARY)
    assert query("select ServiceName, ServiceCategory, x_servicecode from focus_costs order by 1") == [
        ("Amazon Elastic Compute Cloud", "Compute", "AmazonEC2"),
        ("Amazon Simple Storage Service", "Storage", "AWSDataTransfer"),
    ]


def test_adjustment_of_a_savings_plan_has_the_name_of_its_fees(database, query, bucket):
    fee = line(line_item_line_item_type="SavingsPlanUpfrontFee", line_item_product_code="ComputeSavingsPlans")
    write_delivery(bucket, [line(line_item_line_item_type="SavingsPlanCoveredUsage"), fee])
    load_month(database, crafted_source(bucket), JANUARY)
    assert query(
        "select distinct ServiceName, x_servicecode from focus_costs where ChargeCategory in ('Adjustment', 'Purchase')"
    ) == [("Savings Plans for AWS Compute usage", "ComputeSavingsPlans")]
