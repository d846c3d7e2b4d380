"""What `make conformance` makes of the validator's report, and that its page says what the code knows."""

from pathlib import Path

import pytest

from cloud_costs.charges.conformance import known_table, new_rules, read_report, verdicts
from cloud_costs.charges.conformance_gaps import GAPS, KNOWN

ROOT = Path(__file__).parents[2]

REPORT = """
=== Validation Results ===
Total: 6 | Pass: 1 | Fail: 4 | Skipped: 1
✅ AvailabilityZone-C-001-M: PASS  (violations=0, 5.1ms)
❌ InvoiceId-C-004-C: FAIL  (violations=7, msg=InvoiceId MUST be NULL., 5.0ms)
❌ PricingUnit-C-000-M: FAIL  (violations=1, msg=PricingUnit-C-000-M: AND failed - failed child rules: [PricingUnit-C-003-O])
❌ PricingUnit-C-003-O: FAIL  (violations=651, msg=Column 'PricingUnit' contains (odd) values, 7.9ms)
❌ SkuMeter-C-001-M: FAIL  (violations=2, msg=SkuMeter MUST be of type VARCHAR (string)., 7.9ms)
⏭️ SkuMeter-C-009-O: SKIPPED  (violations=0, reason=optional)

--- Failures ---
- SkuMeter-C-001-M: violations=2; SkuMeter MUST be of type VARCHAR (string).
"""  # noqa: E501  the validator's own lines


def test_failing_rules_are_known_documented_or_new() -> None:
    summary, failures = read_report(REPORT)
    assert summary == "Total: 6 | Pass: 1 | Fail: 4 | Skipped: 1"
    assert {failure.rule: failure.rows for failure in failures} == {
        "InvoiceId-C-004-C": 7,
        "PricingUnit-C-000-M": 1,
        "PricingUnit-C-003-O": 651,
        "SkuMeter-C-001-M": 2,
    }
    assert verdicts("AWS", failures) == {
        "InvoiceId-C-004-C": "known",
        "PricingUnit-C-000-M": "gap",
        "PricingUnit-C-003-O": "gap",
        "SkuMeter-C-001-M": "NEW",
    }
    assert new_rules("AWS", failures) == ["SkuMeter-C-001-M"]


def test_compound_rule_is_new_when_one_of_its_parts_is() -> None:
    report = REPORT.replace("[PricingUnit-C-003-O]", "[PricingUnit-C-003-O, SkuMeter-C-001-M]")
    assert new_rules("AWS", read_report(report)[1]) == ["PricingUnit-C-000-M", "SkuMeter-C-001-M"]


@pytest.mark.parametrize("report", ["", REPORT.replace("Fail: 4", "Fail: 5"), REPORT.replace("❌", "x")])
def test_report_that_cannot_be_read_is_refused(report: str) -> None:
    with pytest.raises(ValueError, match="cannot read the report"):
        read_report(report)


def test_page_lists_every_gap_with_its_reason() -> None:
    page = (ROOT / "docs/focus-conformance.md").read_text(encoding="utf-8")
    for provider, gaps in GAPS.items():
        section = page.partition(f"\n## {provider}\n")[2].partition("\n## ")[0]
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")][2:]
        assert [(row[0][2:], row[-2], row[-1][:-2]) for row in rows] == sorted(
            (gap.rule, gap.whose, gap.why) for gap in gaps
        )
        assert len({gap.rule for gap in gaps} | set(KNOWN)) == len(gaps) + len(KNOWN)
    assert known_table() in page
