"""Engineering: what teams and accounts use, by tag, account and service, by the day of use.

The range chooses days. `costs` is read instead of its roll-up, because the roll-up has no tags.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards.panels import COSTS_PAGE, MONEY, RANGE, SHARE, AnyPanel, bars, clicked, dashboard, explore, note, number, rows
from dashboards.sql import AMOUNT, DAYS, SCHEMA, chosen, clouds_and_sources, named, series, where
from dashboards.variables import account, amount, cloud, common, currency, per, service, source, tag, tag_value

COSTS = f"{SCHEMA}.costs"
VALUE = "coalesce(tags ->> ${tag:sqlstring}, '(untagged)')"
CHOSEN = where(
    DAYS,
    clouds_and_sources(),
    chosen("account", named("account_id")),
    chosen("service", named("service")),
    chosen("tag_value", VALUE),
)
# The name of an account may change from one month to the next, and a series needs one.
ACCOUNTS = f"""accounts as (
    select account_id, (array_agg(account_name order by date desc) filter (where account_name is not null))[1] as name
    from chosen
    group by account_id
)"""
NOTE = """The range takes **days of use**, in UTC. Cost is *effective* unless chosen otherwise. Keys of tags are spelt as
sources.yaml spells them, so one dashboard shows one key. Charges that nobody can tag (taxes, fees, purchases) are untagged."""


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
        "By tag": [_bars("${tag}", VALUE), _tags()],
        "By account": [_account_bars(), _accounts()],
        "By service and region": [_bars("service", named("service")), _services(), _bars("region", named("region"))],
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
        series(f"""with chosen as (
    select date, account_id, account_name, {AMOUNT} as amount
    from {COSTS}
    {CHOSEN}
),

{ACCOUNTS}

select
    date_trunc(${{per:sqlstring}}, chosen.date::timestamp) as time,
    coalesce(accounts.name || ' (' || account_id || ')', account_id, '(none)') as name,
    sum(chosen.amount) as amount
from chosen
inner join accounts on chosen.account_id is not distinct from accounts.account_id
group by 1, 2"""),
    )


def _tags() -> AnyPanel:
    return rows(
        "${tag} (${currency})",
        "All charges, whether they can have a tag or not.",
        f"""select
    {VALUE} as "Value",
    sum({AMOUNT}) as "Cost",
    sum({AMOUNT}) / nullif(sum(sum({AMOUNT})) over (), 0) as "Share",
    count(distinct account_id) as "Accounts"
from {COSTS}
{CHOSEN}
group by 1
order by "Cost" desc, "Value\"""",
        {"Cost": MONEY, "Share": SHARE, "Accounts": "none"},
        {
            "Value": (
                "Explore this value",
                explore(
                    "usage", group="service", metric="${amount}", filter=f"tag:${{tag:percentencode}}:{clicked('Value')}"
                ),
            )
        },
    )
