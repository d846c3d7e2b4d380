-- severity: error
-- protects: from NaN or Infinity in a cost, with which every sum is equal to every other
-- action: look at the lines named here in the raw export; the file holds a number that is none

-- The lines are looked for only where a sum is none: NaN and Infinity survive every sum. NaN is above Infinity.
with broken_totals as (
    select 1
    from {focus_totals}
    where greatest(abs(billed_cost), abs(effective_cost), abs(list_cost)) >= 'Infinity'
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
    and greatest(abs(billedcost), abs(effectivecost), abs(listcost)) >= 'Infinity'
