-- What the FOCUS charges sum to, one row per payer, invoice and currency: what the audits compare with both sides. And
-- the same once more for each commitment, where is_of_commitment.
-- The charges are those of a day's like lines, summed, and are derived once for all audits: those that name single
-- charges look for them only where a count here says that there are some.

select
    billingaccountid as billing_account_id,
    invoiceid as invoice_id,
    billingcurrency as currency,
    commitmentdiscountid as commitment_id,
    grouping(commitmentdiscountid) = 0 as is_of_commitment,
    sum(billedcost) as billed_cost,
    sum(effectivecost) as effective_cost,
    sum(listcost) as list_cost,
    sum(x_lineitems) as line_items,
    coalesce(
        sum(billedcost - effectivecost) filter (where chargecategory = 'Purchase' and chargefrequency = 'One-Time'), 0
    ) as prepaid_cost,
    coalesce(sum(greatest(x_lineitems, 1)) filter (where commitmentdiscountid is not null), 0) as commitment_charges,
    count(*) filter (
        where invoiceid is null and (commitmentdiscountid is not null or billedcost <> effectivecost)
    ) as open_commitment_charges,
    sum(x_prepaiduse) as prepaid_use,
    count(*) filter (where billingperiodstart::date is distinct from billing_period) as charges_of_other_months,
    count(*) filter (
        where
        chargeperiodstart is null
        or billingcurrency is null
        or chargecategory is null
        or (subaccountid is null and chargecategory = 'Usage')
    ) as charges_without_dimensions,
    count(*) filter (where subaccountid is null and chargecategory <> 'Usage') as charges_without_account,
    count(*) filter (where not x_typeisknown) as charges_of_unknown_type,
    count(*) filter (where not x_serviceisknown) as charges_of_unknown_service,
    count(*) filter (where chargecategory = 'Adjustment' and x_lineitems = 0) as adjustments,
    count(*) filter (where commitmentdiscountstatus = 'Unused' and effectivecost < 0) as unused_below_zero,
    count(*) filter (
        where
        chargecategory = 'Purchase'
        and chargefrequency = 'Recurring'
        and commitmentdiscountcategory is not null
        and effectivecost <> 0
    ) as fees_not_spread
from ({charges}) as charges
group by grouping sets (
    (billingaccountid, invoiceid, billingcurrency),
    (billingaccountid, invoiceid, billingcurrency, commitmentdiscountid)
)
