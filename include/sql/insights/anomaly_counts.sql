-- How many events wait to be told, were explained by a restatement, and run.

select
    count(*) filter (where status = 'open' and news and told_at is null) as untold,
    count(*) filter (where status = 'explained') as explained,
    count(*) filter (where running and status <> 'merged') as running
from {anomalies}
