-- What nobody asked and should know: anomalies of daily costs, where the month will end, and budgets.

create table {schema}.day_totals (
    load_id bigint not null references {schema}.load_history on delete cascade,
    date date not null,
    currency text not null,
    effective_cost numeric not null,
    primary key (load_id, date, currency)
);

comment on table {schema}.day_totals is
'One row per load, day and currency: what usage of the day cost as of that load. It shows how long days still grow.';
comment on column {schema}.day_totals.load_id is 'The load.';
comment on column {schema}.day_totals.date is 'The day (UTC) of the usage.';
comment on column {schema}.day_totals.currency is 'The currency of the cost.';
comment on column {schema}.day_totals.effective_cost is 'Effective cost of category Usage of all accounts, exact.';

create table {schema}.anomalies (
    anomaly_id bigint generated always as identity primary key,
    source text not null,
    currency text not null,
    account_id text,
    service text,
    first_date date not null,
    last_date date not null,
    expected numeric not null,
    actual numeric not null,
    impact numeric not null,
    severity text not null check (severity in ('low', 'medium', 'high')),
    kind text not null check (kind in ('anomaly', 'restatement')),
    status text not null default 'open' check (
        status in ('open', 'acknowledged', 'muted', 'expected', 'explained', 'merged')
    ),
    running boolean not null,
    explanation jsonb not null,
    version text,
    news boolean not null,
    muted_until date,
    found_at timestamptz not null default clock_timestamp(),
    told_at timestamptz,
    taken_back_at timestamptz,
    check (first_date <= last_date),
    check (actual - expected = impact)
);

create unique index anomalies_event_key
on {schema}.anomalies (source, currency, account_id, service, first_date) nulls not distinct
where status <> 'merged';

comment on table {schema}.anomalies is
'One row per event: days in a row on which the usage of a source, an account, a service, or a service of an account cost
more or less than was expected.';
comment on column {schema}.anomalies.anomaly_id is 'The event, as the command line names it.';
comment on column {schema}.anomalies.source is 'The configured source.';
comment on column {schema}.anomalies.currency is 'The currency of all amounts.';
comment on column {schema}.anomalies.account_id is 'The account; NULL for all of the source.';
comment on column {schema}.anomalies.service is 'The service; NULL for all.';
comment on column {schema}.anomalies.first_date is 'The first day (UTC) of the event.';
comment on column {schema}.anomalies.last_date is 'The last day of the event until now.';
comment on column {schema}.anomalies.expected is 'What these days should have cost, an estimate: actual less impact.';
comment on column {schema}.anomalies.actual is
'What they cost: effective cost of category Usage of the source, account and service, exact.';
comment on column {schema}.anomalies.impact is
'The money above what was expected, of the parts that are out of line; negative below it.';
comment on column {schema}.anomalies.severity is 'low, medium or high, by the money in proportion to the limits.';
comment on column {schema}.anomalies.kind is
'anomaly, or restatement where a later delivery changed days that were complete.';
comment on column {schema}.anomalies.status is
'open, acknowledged, muted, expected (by a person), explained (a restatement took its cause away), or merged (it is part
of a wider event).';
comment on column {schema}.anomalies.running is 'True as long as the event is not known to be over.';
comment on column {schema}.anomalies.explanation is
'Its parts: services of accounts, usage types, resources, regions and tags, each with the money above what was before.';
comment on column {schema}.anomalies.version is 'The version id of the delivery that it was last seen in.';
comment on column {schema}.anomalies.news is
'True where it is worth a message: it was recent when it was found, or is a restatement.';
comment on column {schema}.anomalies.muted_until is 'No event of the same scope that begins until this day is told.';
comment on column {schema}.anomalies.found_at is 'When it was found first.';
comment on column {schema}.anomalies.told_at is 'When it was told; NULL where it was not.';
comment on column {schema}.anomalies.taken_back_at is 'When it was told that a restatement took its cause away.';

create table {schema}.anomaly_actions (
    action_id bigint generated always as identity primary key,
    anomaly_id bigint not null references {schema}.anomalies on delete cascade,
    action text not null check (action in ('acknowledge', 'mute', 'expect')),
    person text not null,
    note text,
    muted_until date,
    at timestamptz not null default clock_timestamp()
);

comment on table {schema}.anomaly_actions is 'One row per decision of a person about an event.';
comment on column {schema}.anomaly_actions.action_id is 'The decision.';
comment on column {schema}.anomaly_actions.anomaly_id is 'The event.';
comment on column {schema}.anomaly_actions.action is 'acknowledge, mute or expect.';
comment on column {schema}.anomaly_actions.person is 'Who decided, as the person or the program said.';
comment on column {schema}.anomaly_actions.note is 'Why.';
comment on column {schema}.anomaly_actions.muted_until is
'For mute: the last day on which events of the scope may begin untold.';
comment on column {schema}.anomaly_actions.at is 'When.';

create table {schema}.forecasts (
    as_of date not null,
    source text,
    currency text not null,
    account_id text,
    service text,
    month date not null,
    metric text not null check (metric in ('billed', 'effective')),
    to_date numeric not null,
    expected numeric not null,
    low numeric not null,
    high numeric not null,
    made_at timestamptz not null default clock_timestamp(),
    check (low <= expected and expected <= high)
);

create unique index forecasts_key
on {schema}.forecasts (month, as_of, source, currency, account_id, service, metric) nulls not distinct;

comment on table {schema}.forecasts is
'One row per day, source, currency, account or service, month and metric: where the month will end, as of that day.';
comment on column {schema}.forecasts.as_of is 'The last complete day (UTC) that the forecast knows.';
comment on column {schema}.forecasts.source is 'The configured source; NULL for all sources together.';
comment on column {schema}.forecasts.currency is 'The currency of all amounts.';
comment on column {schema}.forecasts.account_id is 'The account; NULL for all.';
comment on column {schema}.forecasts.service is 'The service; NULL for all.';
comment on column {schema}.forecasts.month is 'The first day of the month.';
comment on column {schema}.forecasts.metric is 'billed (costs.cost) or effective (costs.effective_cost).';
comment on column {schema}.forecasts.to_date is 'What the complete days of the month cost, exact.';
comment on column {schema}.forecasts.expected is 'What the whole month is expected to cost.';
comment on column {schema}.forecasts.low is 'The low end of the interval that holds 80 % of such months.';
comment on column {schema}.forecasts.high is 'The high end of that interval.';
comment on column {schema}.forecasts.made_at is 'When the forecast was made.';

create table {schema}.budgets (
    budget text primary key,
    amount numeric not null,
    currency text not null,
    period text not null check (period in ('month', 'quarter', 'year')),
    cost text not null check (cost in ('billed', 'effective')),
    filters jsonb not null,
    thresholds jsonb not null
);

comment on table {schema}.budgets is 'One row per budget of budgets.yaml, as it was when budgets were last checked.';
comment on column {schema}.budgets.budget is 'The name.';
comment on column {schema}.budgets.amount is 'The amount for each period.';
comment on column {schema}.budgets.currency is 'The currency of the amount, and of the costs that count.';
comment on column {schema}.budgets.period is 'month, quarter or year of the calendar.';
comment on column {schema}.budgets.cost is
'Which costs count: billed (costs.cost) or effective (costs.effective_cost).';
comment on column {schema}.budgets.filters is 'The costs that count, by cloud, source, account, service and tag.';
comment on column {schema}.budgets.thresholds is 'Percents of the amount that are told.';

create table {schema}.budget_status (
    budget text not null,
    period_start date not null,
    period_end date not null,
    as_of date not null,
    amount numeric not null,
    currency text not null,
    actual numeric not null,
    forecast numeric not null,
    low numeric not null,
    high numeric not null,
    share numeric not null,
    status text not null check (status in ('kept', 'at risk', 'exceeded', 'no costs')),
    thresholds jsonb not null,
    checked_at timestamptz not null default clock_timestamp(),
    primary key (budget, period_start)
);

comment on table {schema}.budget_status is 'One row per budget and period: what was spent, and what is expected.';
comment on column {schema}.budget_status.budget is 'The name of the budget.';
comment on column {schema}.budget_status.period_start is 'The first day of the period.';
comment on column {schema}.budget_status.period_end is 'The last day of the period.';
comment on column {schema}.budget_status.as_of is 'The last complete day that the forecast knows.';
comment on column {schema}.budget_status.amount is 'The amount of the budget.';
comment on column {schema}.budget_status.currency is 'The currency of all amounts.';
comment on column {schema}.budget_status.actual is 'What the period cost until now, exact.';
comment on column {schema}.budget_status.forecast is 'What the whole period is expected to cost.';
comment on column {schema}.budget_status.low is 'The low end of the interval that holds 80 % of such periods.';
comment on column {schema}.budget_status.high is 'The high end of that interval.';
comment on column {schema}.budget_status.share is 'Percent of the amount that was spent.';
comment on column {schema}.budget_status.status is
'kept, at risk (more than the amount is expected), exceeded, or no costs (nothing matches the filters).';
comment on column {schema}.budget_status.thresholds is
'Each threshold that was reached, such as "actual 80": when it was reached and told, and when it was taken back.';
comment on column {schema}.budget_status.checked_at is 'When the budget was last checked.';

create table {schema}.notices (
    notice_id bigint generated always as identity primary key,
    made_at timestamptz not null default clock_timestamp(),
    slack text,
    email text,
    subject text not null,
    lines text[] not null,
    sent_at timestamptz,
    tries integer not null default 0,
    error text,
    check ((slack is null) <> (email is null))
);

comment on table {schema}.notices is
'One row per message about anomalies and budgets, for one channel: what is to be sent, and when it was.';
comment on column {schema}.notices.notice_id is 'The message.';
comment on column {schema}.notices.made_at is 'When it was written.';
comment on column {schema}.notices.slack is 'The Airflow connection of Slack that it goes through.';
comment on column {schema}.notices.email is 'The addresses that it goes to, separated by commas.';
comment on column {schema}.notices.subject is 'The subject.';
comment on column {schema}.notices.lines is 'The lines.';
comment on column {schema}.notices.sent_at is 'When the channel took it; NULL where it did not yet.';
comment on column {schema}.notices.tries is 'How often it was tried.';
comment on column {schema}.notices.error is 'Why the last try failed.';
