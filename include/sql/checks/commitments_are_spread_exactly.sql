-- severity: warning
-- protects: from effective costs that count a Savings Plan or reservation twice, or lose a part of it
-- action: the billed cost is right; compare the effective cost of this commitment with AWS Cost Explorer (amortized)
--   and report the line item types where they differ

-- Of a commitment whose lines are all on an invoice: billed = effective - upfront fees that the month uses up + upfront
-- fees that it paid (AWS Cloud Intelligence Dashboards, summary_view.sql: amortized cost and true-up). Charges of no
-- commitment are judged together: of each, both costs are the same. AWS rounds what it amortizes to 8 decimal places,
-- line by line, so the sums differ by up to half a unit of the eighth place for each charge of a commitment: by
-- 0.00000518 USD in a real month of 8,363 such charges. An export may lack what the month uses up, or the fees. Where
-- a charge lacks the id of its commitment, those of its payer are judged together.

with commitments as (
    select
        billing_account_id,
        currency,
        commitment_id,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        sum(prepaid_use) as prepaid_use,
        sum(prepaid_cost) as prepaid_cost,
        sum(billed_cost) - sum(effective_cost) + coalesce(sum(prepaid_use), 0) - sum(prepaid_cost) as difference,
        0.000000005 * sum(commitment_charges) as rounding
    from {commitment_totals}
    group by billing_account_id, currency, commitment_id
    having sum(open_commitment_charges) = 0 and (sum(prepaid_use) is not null or sum(commitment_charges) = 0)
),

judged as (
    select
        *,
        bool_or(commitment_id is null and difference <> 0) over payer as some_lack_their_id,
        sum(difference) over payer as difference_of_payer,
        sum(rounding) over payer as rounding_of_payer
    from commitments
    window payer as (partition by billing_account_id, currency)
)

select
    billing_account_id,
    currency,
    commitment_id,
    billed_cost,
    effective_cost,
    prepaid_use,
    prepaid_cost,
    difference
from judged
where
    abs(difference) > rounding
    and not (some_lack_their_id and abs(difference_of_payer) <= rounding_of_payer)
