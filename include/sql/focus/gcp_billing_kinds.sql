-- The lines of gcp_billing_typed.sql with what they are: fees of commitments, use that a commitment covers, or neither.
--
-- commitment_id tells one commitment from another. The subscription is in the detailed export alone; a fee whose use
-- Google has taken off itself needs none. pool is what a commitment's fee is spread over: a resource based commitment
-- has a fee for each resource, cores and memory, which are told apart by their units.

select
    typed.*,
    typed.has_offset or (typed.is_commitment and coalesce(typed.cost_type, 'regular') = 'regular') as is_fee,
    coalesce(typed.subscription_instance_id, case when typed.has_offset then typed.sku_description end)
        as commitment_id,
    coalesce(case when typed.commitment_category = 'Usage' then typed.usage_unit end, '') as pool
from typed
