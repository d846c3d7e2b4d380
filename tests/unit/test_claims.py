"""Which numbers of a model's words are looked for, and which are found."""

import time

import pytest

from cloud_costs.asking.claims import Known, checked

RESULT = {
    "basis": {"load_id": 777, "currency": "USD"},
    "first": "2025-01-01",
    "rows": 119307,
    "currencies": [
        {
            "currency": "USD",
            "total": "20207.1234567",
            "share": 0.123456,
            "groups": [{"labels": ["123456789012", "db.r500"], "total": "-3.005"}, {"labels": [], "total": "1500"}],
        },
        {"currency": "EUR", "total": "999.50"},
    ],
}


def marks(text: str) -> list[str]:
    """Return the numbers that were looked for: with + those that were found, and with ! the others."""
    known = Known()
    known.add(RESULT)
    pieces = checked(text, known)
    assert "".join(one.text for one in pieces) == text
    return [f"{'+' if one.found else '!'}{one.text}" for one in pieces if one.found is not None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # As it is, rounded, and as other languages write it.
        ("20207.1234567 USD, 20,207.12 USD, $20,207.1", ["20207.1234567", "20,207.12", "20,207.1"]),
        ("20.207,12 USD, 20 207,12 USD, 20'207.12 USD", ["20.207,12", "20 207,12", "20'207.12"]),
        ("USD 20,207, USD20207 and 20207", ["20,207", "20207", "20207"]),
        ("about $20.2k, or 0.02 million USD", ["20.2k", "0.02 million"]),
        ("999.50 \u20ac, \u20ac999.5 and EUR 1,000", ["999.50", "999.5", "1,000"]),
        # The sign is in the words.
        ("It fell by 3.01 USD, or -3.00 USD.", ["3.01", "3.00"]),
        ("12.3 % of it, which is 12.35%", ["12.3", "12.35"]),
        ("119307 lines, or 119,307", ["119307", "119,307"]),
    ],
)
def test_amount_of_a_result_is_found(text, expected):
    assert marks(text) == [f"+{one}" for one in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20,207.13 USD", ["20,207.13"]),
        ("20,207.12 EUR and 999.50 USD", ["20,207.12", "999.50"]),
        ("20,207.12 CHF", ["20,207.12"]),
        ("5 USD, \u20ac7 and 0.5", ["5", "7", "0.5"]),
        ("12.4 %, and 13%", ["12.4", "13"]),
        ("4711 in all, or 20000", ["4711", "20000"]),
        ("1.2 million USD", ["1.2 million"]),
        # The deliveries behind an answer are no amounts.
        ("777 USD", ["777"]),
    ],
)
def test_number_of_no_result_is_marked(text, expected):
    assert marks(text) == [f"!{one}" for one in expected]


@pytest.mark.parametrize(
    "text",
    [
        "On 2025-01-31, 31.01.2025, 1/31/2025 and at 02:00, or 2025-01-31T02:00:00Z.",
        "In 2025, the 3 largest of 12 services over 31 days.",
        "1. EC2\n2. S3\n3. db.m5.large in us-east-1, and t3.micro with 500GB",
        "Account 123456789012 has db.r500.",
        "Version 1.2.3 of it.",
        "9" * 5_000 + " USD",
        "",
    ],
)
def test_what_is_no_amount_is_not_looked_for(text):
    assert marks(text) == []


def test_many_numbers_are_looked_for_in_no_time():
    known = Known()
    known.add([f"{number}.25" for number in range(50_000)])
    text = "2025-01-31 7.30 USD, " * 1_000
    began = time.process_time()
    assert [one.found for one in checked(text, known) if one.found is not None] == [False] * 1_000
    assert time.process_time() - began < 2
