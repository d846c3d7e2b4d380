"""A made-up Google billing account, exported as the shipped query does, with independently known totals.

- `bill`: the settings of a bill
- `lines`, `plan`, `commitments`: the lines and their meaning
- `files`: nested Parquet, JSON lines, CSV with dotted names
- `delivery`: runs, their files and markers

Columns and cost types follow Google's documentation of the detailed export. Committed use discounts follow its
documentation of their two models.
"""

from cloud_costs.demo.sample_bill.gcp.bill import GoogleBill, Project
from cloud_costs.demo.sample_bill.gcp.delivery import write_google_export, write_google_month
from cloud_costs.demo.sample_bill.gcp.plan import plan_lines

__all__ = ["GoogleBill", "Project", "plan_lines", "write_google_export", "write_google_month"]
