-- Effective cost of several spans of days, exact: one row for each span, currency and key. A key is one or two columns,
-- with an empty text for what has none.

select
    spans.nth,
    costs.currency,
    {keys} as places,
    sum(costs.effective_cost) as effective_cost
from unnest(%(firsts)s::date[], %(lasts)s::date[]) with ordinality as spans (first, last, nth)
inner join {costs} as costs on costs.date between spans.first and spans.last
group by 1, 2, 3
order by 1, 2, 3
