"""A made-up Azure tenant, delivered as Cost Management exports it, with independently known totals (the truth).

As for the AWS bill, a month is planned line by line, and the meaning of each line is added up in Decimal while it is
planned. The lines are then written as actual and amortized costs or as FOCUS costs, under an Enterprise Agreement or a
Microsoft Customer Agreement, in every file type and layout. The truth is never read back from the files.

- `bill`: the settings of a bill
- `catalog`: Azure's services, meters and prices
- `plan`: the lines and their meaning
- `columns`: the renderers, from lines to the rows of one data set
- `delivery`: keys, files and manifests

Sources of the rules: the columns, and the lines of each data set, follow Microsoft's documentation of Cost Management
(understand cost details fields; reservations and savings plans in exports). The services follow the open data of
Microsoft's FinOps toolkit.
"""

from cloud_costs.demo.sample_bill.azure.bill import AzureBill
from cloud_costs.demo.sample_bill.azure.delivery import write_export, write_month

__all__ = ["AzureBill", "write_export", "write_month"]
