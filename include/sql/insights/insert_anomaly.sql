-- One new event.

insert into {anomalies} (
    source, currency, account_id, service, first_date, last_date, expected, actual, impact, severity, kind, status,
    running, explanation, version, news
)
values (
    %(source)s, %(currency)s, %(account_id)s, %(service)s, %(first_date)s, %(last_date)s, %(expected)s, %(actual)s,
    %(actual)s::numeric - %(expected)s::numeric, %(severity)s, %(kind)s, %(status)s, %(running)s, %(explanation)s,
    %(version)s, %(news)s
)
