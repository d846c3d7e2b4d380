-- The lines of azure_cost.sql that are charges, each with what it is billed and what it costs in effect. The lines hold
-- the columns of azure_cost_columns.csv.
--
-- Actual and amortized costs are two data sets, and each has all lines of usage. Taken together, the charges are all
-- amortized lines, and of the actual ones those that buy or refund a reservation or a savings plan, which no amortized
-- line has. Usage of a commitment is billed 0 then, because its purchase is billed. A purchase costs 0 in effect,
-- because its usage carries the cost. With actual costs alone every line is a charge, whose two costs are the same.
--
-- Source: Microsoft's FinOps toolkit, "Convert Cost Management data to FOCUS".

select
    lines.*,
    position(':' in lines.billingaccountid) > 0 as is_customer_agreement,
    case
        when lines.data_set = 'alone' then coalesce(lines.costinbillingcurrency, 0)
        when lines.data_set = 'actual' then lines.actualcost
        when lines.part in ('used', 'unused') then 0
        else lines.amortizedcost
    end as billed_cost,
    case
        when lines.data_set = 'alone' then coalesce(lines.costinbillingcurrency, 0)
        when lines.part = 'bought' then 0
        else lines.amortizedcost
    end as effective_cost
from (
    {lines}
) as lines
where lines.data_set <> 'actual' or lines.part = 'bought'
