-- severity: warning
-- protects: from a new kind of AWS line that is taken for usage because nothing better is known
-- action: the total is right; report the line item type so that the mapping learns what it means

-- The charges are looked for only where there are some.
with found as (
    select 1
    from {focus_totals}
    where charges_of_unknown_type > 0
)

select
    x_lineitemtype as line_item_type,
    count(*) as charges,
    sum(billedcost) as billed_cost
from ({charges}) as charges
where
    exists (select 1 from found)
    and not x_typeisknown
group by x_lineitemtype
