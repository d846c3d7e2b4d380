-- Reports: what was made for people who read mail, and the messages that carry it.

create table {schema}.reports (
    report_id bigint generated always as identity primary key,
    kind text not null check (kind in ('daily', 'weekly', 'monthly')),
    period text not null,
    request text not null default '',
    as_of jsonb not null,
    subject text not null,
    lines text[] not null,
    text text not null,
    html text not null,
    pdf bytea not null,
    recipients text[] not null,
    made_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz,
    unique (kind, period, request)
);

comment on table {schema}.reports is
'One row per report that was made: the archive. The scheduled report of a period is made and sent once.';
comment on column {schema}.reports.report_id is 'The report.';
comment on column {schema}.reports.kind is 'daily, weekly or monthly.';
comment on column {schema}.reports.period is 'What it is about: 2025-03-31, 2025-W13 (ISO week), or 2025-03.';
comment on column {schema}.reports.request is
'Empty for the report that is sent once; the DAG run that asked for another one otherwise.';
comment on column {schema}.reports.as_of is
'The delivery of each source that it knows: source, billing month, version, when it was loaded, last complete day.';
comment on column {schema}.reports.subject is 'The subject, which says the number.';
comment on column {schema}.reports.lines is 'What it says in short, as Slack gets it.';
comment on column {schema}.reports.text is 'The report as plain text.';
comment on column {schema}.reports.html is 'The report as HTML, with its pictures in it.';
comment on column {schema}.reports.pdf is 'The report as PDF.';
comment on column {schema}.reports.recipients is
'Who it was sent to: addresses, and Airflow connections of Slack. Empty where it went into the archive alone.';
comment on column {schema}.reports.made_at is 'When it was made.';
comment on column {schema}.reports.sent_at is 'When a channel took it last; NULL where none did yet.';

alter table {schema}.notices add column report_id bigint references {schema}.reports on delete cascade;

comment on table {schema}.notices is
'One row per message about anomalies and budgets, or with a report, for one channel: what is to be sent, and when it
was.';
comment on column {schema}.notices.report_id is 'The report that the message carries; NULL for other messages.';
