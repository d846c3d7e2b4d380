"""SQL that panels and variables share: which rows the variables of a dashboard choose.

Grafana replaces `$__…` and `${…}` before PostgreSQL sees the statement. Every value is written `${name:sqlstring}`,
which quotes it and doubles the quotes within, because a variable can be set in the address of a dashboard.
"""

import re

SCHEMA = "cost_analytics"
# What "All" stands for. Grafana puts this text into the statement as it is, so it has quotes of its own.
ALL = "'(all)'"
NONE = "(none)"
OTHERS = "(others)"
SERIES = 10

MONTHS = "billing_period between date_trunc('month', $__timeFrom()::timestamp)::date and ($__timeTo()::timestamp)::date"
MONTHS_AND_BEFORE = (
    "billing_period between (date_trunc('month', $__timeFrom()::timestamp) - interval '1 month')::date"
    " and ($__timeTo()::timestamp)::date"
)
# Charges of one day can be in the bills of several months. costs_by_month knows which, so that `costs` reads these
# months alone.
_BILLS = f"""from {SCHEMA}.costs_by_month
            where
                month between date_trunc('month', $__timeFrom()::timestamp)::date
                and ($__timeTo()::timestamp)::date"""
DAYS = f"""$__timeFilter(date)
    and billing_period between
        (
            select min(billing_period)
            {_BILLS}
        )
        and (
            select max(billing_period)
            {_BILLS}
        )"""
AMOUNT = """case ${amount:sqlstring}
        when 'billed_cost' then cost
        when 'list_cost' then list_cost
        else effective_cost
    end"""
TAG_VALUE = "coalesce(tags ->> ${tag:sqlstring}, '(untagged)')"
COMMITMENT = f"coalesce(commitmentdiscounttype, '{NONE}')"


def named(column: str) -> str:
    """Return an expression for a column that is never NULL, so that no row is lost in a comparison."""
    return f"coalesce({column}, '{NONE}')"


def chosen(variable: str, expression: str) -> str:
    """Return a condition: the variable is set to All, or the expression is one of its values."""
    values = f"(${{{variable}:sqlstring}})"
    return f"({ALL} in {values} or {expression} in {values})"


def where(*conditions: str) -> str:
    """Return a where clause of the conditions, and of the currency: no sum goes over two."""
    return "where\n    " + "\n    and ".join(("currency = ${currency:sqlstring}", *conditions))


def clouds_and_sources() -> str:
    """Return the conditions of the variables `cloud` and `source`, for `costs` and its roll-up."""
    return f"{chosen('cloud', named('cloud_provider'))}\n    and {chosen('source', 'source')}"


# The charges of the months, with the columns that the panels of commitments read. PostgreSQL cannot foresee how many
# rows of a view as deep as `focus_costs` pass a filter, and would join row by row. So only months are filtered in it.
CHARGES = f"""charges as materialized (
    select
        billing_period,
        billingcurrency,
        providername,
        x_source,
        subaccountid,
        servicename,
        chargecategory,
        commitmentdiscountid,
        commitmentdiscountname,
        commitmentdiscounttype,
        commitmentdiscountstatus,
        billedcost,
        effectivecost,
        listcost
    from {SCHEMA}.focus_costs
    where {MONTHS}
)"""


def where_charges(*conditions: str) -> str:
    """Return a where clause for `charges`: the currency, the clouds, the sources, and the conditions."""
    common = (
        "billingcurrency = ${currency:sqlstring}",
        chosen("cloud", named("providername")),
        chosen("source", "x_source"),
    )
    return "where\n    " + "\n    and ".join((*common, *conditions))


def series(chosen_rows: str) -> str:
    """Return a time series of the largest names, and of the others as one.

    `chosen_rows` selects the columns `time`, `name` and `amount`. The values add up to the amounts.
    """
    return f"""with chosen as (
{_indented(chosen_rows)}
),

ranked as (
    select name, row_number() over (order by sum(amount) desc, name) as place
    from chosen
    group by name
)

select
    time,
    case when place <= {SERIES} then name else '{OTHERS}' end as metric,
    sum(amount) as value
from chosen
inner join ranked using (name)
group by 1, 2
order by 1, 2"""


def in_schema(text: str, schema: str) -> str:
    """Return a statement on `cost_analytics` as one on another schema."""
    quoted = '"' + schema.replace('"', '""') + '"'
    return re.sub(rf"\b{SCHEMA}\.", lambda _: f"{quoted}.", text)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in text.splitlines())
