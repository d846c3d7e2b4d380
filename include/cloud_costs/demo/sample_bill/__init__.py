"""A made-up AWS bill, delivered as AWS delivers it, with a truth of its own.

Tests, `make demo` and the benchmarks need billing exports whose right answer is known before any of this
project's SQL has seen them. This package plans a month line by line, adds up in Decimal what each line
truly means while planning it, and writes the lines as a legacy Cost and Usage Report, a CUR 2.0 or a FOCUS
export, in Parquet or CSV: manifest, chunks, litter and all. Every rendering means the same. The truth is
never read back from the files. Everything is a pure function of (bill, month, version).

- `bill`: what to make
- `catalog`, `discounts`, `resources`, `columns`: AWS's products, meters, price cuts and columns
- `plan`, `usage`, `commitments`, `monthly`: the lines and what they mean
- `truth`: the totals that a correct load arrives at
- `cur`, `cur2`, `focus_export`: the renderers, from lines to the rows of one format
- `parquet_files`, `csv_files`: the writers, from rows to files
- `cur_delivery`, `data_exports`: keys, manifests and litter; `delivery` puts all of it together

Sources of the rules: the line types and their FOCUS meaning follow AWS Cloud Intelligence Dashboards
(`summary_view.sql`) and FOCUS 1.2; layout, manifest, column names and the absence of NULLs follow AWS's
documentation and real files.
"""

from cloud_costs.demo.sample_bill.bill import Bill, account_name
from cloud_costs.demo.sample_bill.delivery import write_export, write_month
from cloud_costs.demo.sample_bill.plan import Charge, Line, plan_lines
from cloud_costs.demo.sample_bill.truth import Truth, TruthRow, read_truth, write_truth

__all__ = [
    "Bill",
    "Charge",
    "Line",
    "Truth",
    "TruthRow",
    "account_name",
    "plan_lines",
    "read_truth",
    "write_export",
    "write_month",
    "write_truth",
]
