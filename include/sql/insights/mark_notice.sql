-- A message that was tried: sent, or what went wrong. The report that it carries is sent with it.

with tried as (
    update {notices} set
        tries = tries + 1,
        error = %(error)s::text,
        sent_at = case when %(error)s::text is null then clock_timestamp() end
    where notice_id = %(id)s
    returning report_id, sent_at
)

update {reports} as reports set sent_at = tried.sent_at
from tried
where reports.report_id = tried.report_id and tried.sent_at is not null
