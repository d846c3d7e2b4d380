"""A made-up AWS bill, delivered as AWS delivers it, with independently known totals (the truth).

Tests, `make demo` and the benchmarks need billing exports whose right totals are known before this project's SQL has
seen them. This package plans a month line by line, and adds up in Decimal the true meaning of each line while it plans.
It writes the lines as a legacy Cost and Usage Report, a CUR 2.0 or a FOCUS export, in Parquet or CSV, with manifest,
chunks and the other files that AWS leaves behind (litter). All renderings have the same meaning. The truth is never
read back from the files. Everything is a pure function of (bill, month, version).

- `bill`: the settings of a bill
- `catalog`, `discounts`, `resources`, `columns`: AWS's products, meters, price cuts and columns
- `plan`, `usage`, `commitments`, `monthly`: the lines and their meaning
- `truth`: the totals that a correct load gives
- `cur`, `cur2`, `focus_export`: the renderers, from lines to the rows of one format
- `parquet_files`, `csv_files`: the writers, from rows to files
- `cur_delivery`, `data_exports`: keys, manifests and litter; `delivery` puts all of it together

Sources of the rules: the line types and their FOCUS meaning follow AWS Cloud Intelligence Dashboards
(`summary_view.sql`) and FOCUS 1.2; layout, manifest, column names and the absence of NULLs follow AWS's
documentation and real files.
"""

from cloud_costs.demo.sample_bill.bill import Bill, Event, account_name
from cloud_costs.demo.sample_bill.delivery import write_export, write_month
from cloud_costs.demo.sample_bill.plan import Charge, Line, plan_lines
from cloud_costs.demo.sample_bill.truth import Truth, TruthRow, read_truth, write_truth

__all__ = [
    "Bill",
    "Charge",
    "Event",
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
