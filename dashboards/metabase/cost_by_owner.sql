-- What does each owner cost? One row per owner and currency. Needs a list of accounts with the column owner.
select
    owner,
    currency,
    sum(cost) as cost
from cost_analytics.costs
inner join cost_analytics.accounts using (account_id)
where
    true
    [[and billing_period = date_trunc('month', {{month}}::timestamp)]]
    [[and currency = {{currency}}]]
    [[and source = {{source}}]]
    [[and owner = {{owner}}]]
group by owner, currency
order by owner, currency
