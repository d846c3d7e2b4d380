-- Daily costs of a budget, exact: one row per day and kind of charge. A filter that is NULL lets all costs pass.
-- `wanted` has the allowed values of each tag.

select
    date,
    case charge_category when 'Usage' then 'usage' when 'Tax' then 'taxes' else 'fees' end as kind,
    sum({amount}) as amount
from {costs} as costs
where
    currency = %(currency)s
    and billing_period >= date_trunc('month', %(first)s::timestamp) - interval '1 month'
    and date between %(first)s and %(last)s
    and (%(clouds)s::text[] is null or cloud_provider = any(%(clouds)s))
    and (%(sources)s::text[] is null or source = any(%(sources)s))
    and (%(accounts)s::text[] is null or {account_id} = any(%(accounts)s))
    and (%(services)s::text[] is null or {service} = any(%(services)s))
    and not exists (
        select 1
        from jsonb_each(%(wanted)s::jsonb) as wanted
        where not coalesce(wanted.value ? ({tags} ->> wanted.key), false)
    )
group by 1, 2
order by 1, 2
