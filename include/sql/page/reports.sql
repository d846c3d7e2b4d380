-- A page of reports, the newest first.

select
    report_id,
    kind,
    period,
    request,
    subject,
    recipients,
    made_at,
    sent_at
from {reports}
where {condition}
order by made_at desc, report_id desc
limit {at_most} offset {skipped}
