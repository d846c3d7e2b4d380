-- Billed cost of some days, and the part that has no account or no team: one row per source and currency.

select
    source,
    currency,
    sum(cost) as cost,
    coalesce(sum(cost) filter (where coalesce(account_id, '') = ''), 0) as without_account,
    coalesce(sum(cost) filter (where coalesce(tags ->> %(team)s::text, '') = ''), 0) as without_team
from {costs}
where date between %(first)s and %(last)s
group by source, currency
order by source, currency
