-- severity: warning
-- protects: from effective costs that count a Savings Plan or reservation twice, or lose a part of it
-- action: the billed cost is right; compare the effective cost of this payer's commitments with AWS Cost Explorer
--   (amortized) and report the line item types where they differ

-- Of a month whose lines are all on an invoice: billed = effective - upfront fees that the month uses up + upfront
-- fees that it paid, per payer (AWS Cloud Intelligence Dashboards, summary_view.sql: amortized cost and true-up).
-- AWS rounds what it amortizes to 8 decimal places, line by line, so the sums differ by up to half a unit of the
-- eighth place for each charge of a commitment: by 0.00000518 USD in a real month of 8,363 such charges.

with billed as (
    select
        billing_account_id,
        currency,
        sum(billed_cost) as billed_cost,
        sum(prepaid_use) as prepaid_use
    from {raw_totals}
    group by billing_account_id, currency
    having bool_and(invoice_id is not null)
),

effective as (
    select
        billing_account_id,
        currency,
        sum(effective_cost) as effective_cost,
        sum(prepaid_cost) as prepaid_cost,
        sum(commitment_charges) as commitment_charges
    from {focus_totals}
    group by billing_account_id, currency
)

select
    billed.billing_account_id,
    billed.currency,
    billed.billed_cost,
    effective.effective_cost,
    billed.prepaid_use,
    effective.prepaid_cost,
    billed.billed_cost - effective.effective_cost + coalesce(billed.prepaid_use, 0) - effective.prepaid_cost
        as difference
from billed
inner join effective
    on
        coalesce(billed.billing_account_id, '') = coalesce(effective.billing_account_id, '')
        and billed.currency = effective.currency
where
    (billed.prepaid_use is not null or effective.commitment_charges = 0)
    and abs(
        billed.billed_cost - effective.effective_cost + coalesce(billed.prepaid_use, 0) - effective.prepaid_cost
    ) > 0.000000005 * effective.commitment_charges
