-- severity: error
-- protects: from a delivery that does not hold what its manifest promises: a file that is missing or of another run
-- action: let the provider's export, or the query that writes it, run again for this month; if it happens again,
--   compare the sum of the files with the promised one: python -m cloud_costs query

with stored as (
    select
        currency,
        sum(billed_cost) as billed_cost
    from {raw_totals}
    group by currency
)

select
    promised.currency,
    promised.billed_cost as promised_cost,
    stored.billed_cost as stored_cost
from {schema}.manifest_totals as promised
left join stored on promised.currency = stored.currency
where
    promised.load_id = %(load_id)s
    and coalesce(stored.billed_cost, 0) <> promised.billed_cost
