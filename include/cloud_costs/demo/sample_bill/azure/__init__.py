"""A made-up Azure tenant, delivered as Cost Management exports it, with a truth of its own.

As with the AWS bill beside it, a month is planned line by line, and what each line means is added up in Decimal while
it is planned. The lines are then written as actual and amortized costs or as FOCUS costs, under an Enterprise
Agreement or a Microsoft Customer Agreement, in every file type and layout. The truth is never read back from the files.

- `bill`: what to make
- `catalog`: Azure's services, meters and prices
- `plan`: the lines and what they mean
- `columns`: the renderers, from lines to the rows of one data set
- `delivery`: keys, files and manifests

Sources of the rules: the columns and which data set has which lines follow Microsoft's documentation of Cost Management
(understand cost details fields; reservations and savings plans in exports), services the toolkit's open data.
"""

from cloud_costs.demo.sample_bill.azure.bill import AzureBill
from cloud_costs.demo.sample_bill.azure.delivery import write_export, write_month

__all__ = ["AzureBill", "write_export", "write_month"]
