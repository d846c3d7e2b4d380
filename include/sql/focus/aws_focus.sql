-- A FOCUS export of AWS (1.0 or 1.2) as FOCUS 1.2 charges: the columns as they are. The lines hold the columns of
-- aws_focus_columns.csv. A column of a newer version of FOCUS than the export's is null. AWS documents that
-- ContractedUnitPrice, ListUnitPrice, InvoiceIssuerName, PublisherName and SkuId may be null in its export.

select
    lines.*,
    coalesce(lines.exported_billed_cost, 0) as billedcost,
    coalesce(lines.exported_contracted_cost, 0) as contractedcost,
    coalesce(lines.exported_effective_cost, 0) as effectivecost,
    coalesce(lines.exported_list_cost, 0) as listcost,
    lines.line_items as x_lineitems,
    true as x_typeisknown,
    lines.skumeter as x_usagetype
from (
    {lines}
) as lines
