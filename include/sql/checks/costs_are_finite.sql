-- severity: error
-- protects: from NaN or Infinity in a cost, with which every sum is equal to every other
-- action: look at the lines named here in the raw export; the file holds a number that is none

-- The lines are looked for only where a sum is none: NaN and Infinity survive every sum.
with broken_totals as (
    select 1
    from {focus_totals}
    where billed_cost + effective_cost + list_cost in ('NaN', 'Infinity', '-Infinity')
)

select
    x_lineitemid as line_item_id,
    x_lineitemtype as line_item_type,
    billedcost::text as billed_cost,
    effectivecost::text as effective_cost,
    listcost::text as list_cost
from ({charges}) as charges
where
    exists (select 1 from broken_totals)
    and billedcost + effectivecost + listcost in ('NaN', 'Infinity', '-Infinity')
