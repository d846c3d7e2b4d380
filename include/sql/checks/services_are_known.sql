-- severity: warning
-- protects: from a service that is shown under the name of its meter, in the category Other
-- action: the total is right; report the resource type so that the table of services learns its name

-- The charges are looked for only where there are some.
with found as (
    select 1
    from {focus_totals}
    where charges_of_unknown_service > 0
)

select
    servicename as service,
    resourcetype as resource_type,
    count(*) as charges,
    sum(billedcost) as billed_cost
from ({charges}) as charges
where
    exists (select 1 from found)
    and not x_serviceisknown
group by servicename, resourcetype
