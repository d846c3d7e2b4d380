-- severity: error
-- protects: from NaN or Infinity in a cost, with which every sum is equal to every other
-- action: look at the lines named here in the raw export; the file holds a number that is none

select
    x_lineitemid as line_item_id,
    x_lineitemtype as line_item_type,
    billedcost::text as billed_cost,
    effectivecost::text as effective_cost,
    listcost::text as list_cost
from ({charges}) as charges
where
    billedcost + effectivecost + listcost in ('NaN', 'Infinity', '-Infinity')
