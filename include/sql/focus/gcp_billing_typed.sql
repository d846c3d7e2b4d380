-- The lines of gcp_billing_named.sql with the kind of commitment that they belong to.

select
    named.*,
    position('FEE_UTILIZATION_OFFSET' in named.credit_types) > 0 as has_offset,
    case
        when position('FEE_UTILIZATION_OFFSET' in named.credit_types) > 0 then 'Spend'
        when position('COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE' in named.credit_types) > 0 then 'Spend'
        when position('COMMITTED_USAGE_DISCOUNT' in named.credit_types) > 0 then 'Usage'
        -- Commitment v1: Cpu in Americas for 1 Year. The others are commitments to spend.
        when left(named.sku_description, 12) = 'Commitment v' then 'Usage'
        when named.is_commitment or named.subscription_instance_id is not null then 'Spend'
    end as commitment_category
from named
