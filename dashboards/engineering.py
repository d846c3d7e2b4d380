"""Engineering: what teams and accounts use, by tag, account and service, by the day of use.

The range chooses days. `costs` is read instead of its roll-up, because the roll-up has no tags.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards.panels import MONEY, SHARE, AnyPanel, bars, clicked, dashboard, explore, note, number, rows
from dashboards.sql import AMOUNT, DAYS, SCHEMA, TAG_VALUE, chosen, clouds_and_sources, named, series, where
from dashboards.variables import account, amount, cloud, common, currency, per, service, source, tag, tag_value

COSTS = f"{SCHEMA}.costs"
CHOSEN = where(
    DAYS,
    clouds_and_sources(),
    chosen("account", named("account_id")),
    chosen("service", named("service")),
    chosen("tag_value", TAG_VALUE),
)
# The name of an account may change from one month to the next: the latest one of the range is shown.
NAME = "(array_agg(account_name order by date desc) filter (where account_name is not null))[1]"
NOTE = """The range takes **days of use**, in UTC. Cost is *effective* unless chosen otherwise. Tag keys are spelt as in
sources.yaml, and one is shown at a time. Charges that nobody can tag (taxes, fees, purchases) are untagged."""


def engineering(airflow: str) -> Dashboard:
    """Return the dashboard."""
    found = dashboard(
        "engineering",
        "Cloud costs: engineering",
        "What teams and accounts use, by tag, account, service and region.",
        [
            *(*common(airflow), currency(), cloud(), source(), account(DAYS), service()),
            *(tag(), tag_value(), amount(), per()),
        ],
        explore("usage", group="account_id", metric="${amount}", per="${per}"),
    )
    found.time("now-30d/d", "now").with_panel(note(NOTE))
    for panel in _totals():
        found.with_panel(panel)
    for title, panels in {
        "By tag": [_bars("${tag}", TAG_VALUE), _tags()],
        "By account": [_account_bars(), _accounts()],
        "By service and region": [_bars("service", named("service")), _services()],
        "Accounts and services": [_accounts_and_services()],
    }.items():
        found.with_row(Row(title))
        for panel in panels:
            found.with_panel(panel)
    return found


def _totals() -> list[AnyPanel]:
    return [
        number(
            "Cost (${currency})",
            "The cost of what is chosen.",
            f"select sum({AMOUNT}) as cost\nfrom {COSTS}\n{CHOSEN}",
        ),
        number(
            "A day (${currency})",
            "The cost divided by the days that have costs.",
            f"select sum({AMOUNT}) / nullif(count(distinct date), 0) as cost\nfrom {COSTS}\n{CHOSEN}",
        ),
        number(
            "Usage without ${tag}",
            "The share of usage that lacks the tag.",
            f"""select
    coalesce(sum({AMOUNT}) filter (where tags ->> ${{tag:sqlstring}} is null), 0)
    / nullif(sum({AMOUNT}), 0) as share
from {COSTS}
{CHOSEN}
    and charge_category = 'Usage'""",
            SHARE,
        ),
        number(
            "Accounts",
            "Accounts with costs.",
            f"select count(distinct account_id) as accounts\nfrom {COSTS}\n{CHOSEN}",
            "none",
        ),
    ]


def _bars(title: str, name: str) -> AnyPanel:
    return bars(
        f"By {title} (${{currency}})",
        "The largest by name, and all others as one.",
        series(f"""select
    date_trunc(${{per:sqlstring}}, date::timestamp) as time,
    {name} as name,
    sum({AMOUNT}) as amount
from {COSTS}
{CHOSEN}
group by 1, 2"""),
    )


def _account_bars() -> AnyPanel:
    return bars(
        "By account (${currency})",
        "The largest by name, and all others as one.",
        series(f"""with days as (
    select date, account_id, {NAME} as account_name, sum({AMOUNT}) as amount
    from {COSTS}
    {CHOSEN}
    group by date, account_id
),

accounts as (
    select account_id, {NAME} as account_name
    from days
    group by account_id
)

select
    date_trunc(${{per:sqlstring}}, days.date::timestamp) as time,
    coalesce(accounts.account_name || ' (' || days.account_id || ')', days.account_id, '(none)') as name,
    sum(days.amount) as amount
from days
inner join accounts on days.account_id is not distinct from accounts.account_id
group by 1, 2"""),
    )


def _tags() -> AnyPanel:
    # The Costs page wants the key percent-encoded within its filter, so that the colon after it ends it.
    key = "replace(replace(${tag:sqlstring}, '%', '%25'), ':', '%3A')"
    return rows(
        "${tag} (${currency})",
        "All charges, whether they can have a tag or not.",
        f"""select
    {TAG_VALUE} as "Value",
    sum({AMOUNT}) as "Cost",
    sum({AMOUNT}) / nullif(sum(sum({AMOUNT})) over (), 0) as "Share",
    count(distinct account_id) as "Accounts",
    'tag:' || {key} || ':' || coalesce(tags ->> ${{tag:sqlstring}}, '') as filter
from {COSTS}
{CHOSEN}
group by tags ->> ${{tag:sqlstring}}
order by "Cost" desc, "Value\"""",
        {"Cost": MONEY, "Share": SHARE, "Accounts": "none"},
        {"Value": ("Explore this value", _explore("service", clicked("filter")))},
        hidden=("filter",),
    )


def _accounts() -> AnyPanel:
    return rows(
        "Accounts (${currency})",
        "With the latest name in the range.",
        f"""select
    coalesce({NAME}, '') as "Name",
    coalesce(account_id, '') as "Account",
    sum({AMOUNT}) as "Cost",
    sum({AMOUNT}) / nullif(sum(sum({AMOUNT})) over (), 0) as "Share",
    count(distinct service) as "Services"
from {COSTS}
{CHOSEN}
group by account_id
order by "Cost" desc, "Account\"""",
        {"Cost": MONEY, "Share": SHARE, "Services": "none"},
        dict.fromkeys(
            ("Name", "Account"), ("Explore this account", _explore("service", f"account_id:{clicked('Account')}"))
        ),
    )


def _services() -> AnyPanel:
    return rows(
        "Services and regions (${currency})",
        "Charges without a region have an empty one.",
        f"""select
    coalesce(service, '') as "Service",
    coalesce(region, '') as "Region",
    sum({AMOUNT}) as "Cost"
from {COSTS}
{CHOSEN}
group by service, region
order by "Cost" desc, "Service", "Region\"""",
        {"Cost": MONEY},
        {
            "Service": ("Explore this service", _explore("account_id", f"service:{clicked('Service')}")),
            "Region": ("Explore this region", _explore("service", f"region:{clicked('Region')}")),
        },
    )


def _accounts_and_services() -> AnyPanel:
    both = _explore("region", f"account_id:{clicked('Account')}") + f"&filter=service:{clicked('Service')}"
    return rows(
        "What each account uses (${currency})",
        "One row for each account and service.",
        f"""select
    coalesce({NAME}, '') as "Name",
    coalesce(account_id, '') as "Account",
    coalesce(service, '') as "Service",
    sum({AMOUNT}) as "Cost"
from {COSTS}
{CHOSEN}
group by account_id, service
order by "Cost" desc, "Account", "Service\"""",
        {"Cost": MONEY},
        {"Service": ("Explore both", both)},
        span=24,
    )


def _explore(group: str, wanted: str) -> str:
    return explore("usage", group=group, metric="${amount}", per="${per}", filter=wanted)
