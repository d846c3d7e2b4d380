"""The variables of the dashboards: what is chosen in the row on top."""

from grafana_foundation_sdk.builders.dashboard import (
    ConstantVariable,
    CustomVariable,
    DatasourceVariable,
    QueryVariable,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableModel,
    VariableOption,
    VariableRefresh,
)

from dashboards.sql import (
    ALL,
    CHARGES,
    COMMITMENT,
    DAYS,
    SCHEMA,
    TAG_VALUE,
    chosen,
    clouds_and_sources,
    named,
    where,
    where_charges,
)

# The type has been called grafana-postgresql-datasource since Grafana 10.2, which keeps this name as an alias.
SOURCE = DataSourceRef(type_val="postgres", uid="${datasource}")
AIRFLOW = "http://localhost:8080"

Variable = Builder[VariableModel]


def _one(name: str, label: str, description: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def _some(name: str, label: str, description: str, query: str) -> QueryVariable:
    return (
        _one(name, label, description, query)
        .multi(True)
        .include_all(True)
        .all_value(ALL)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def common(airflow: str) -> list[Variable]:
    """Return what every dashboard has: the data source, and the address of Airflow for the links to the Costs page."""
    database = DatasourceVariable("datasource").label("Database").description("The PostgreSQL with the cost tables.")
    page = ConstantVariable("airflow").label("Airflow").description("The address of Airflow, which has the Costs page.")
    return [
        database.type("postgres").current(VariableOption(selected=True, text="Cloud Costs", value="cloud-costs")),
        page.value(airflow),
    ]


def currency() -> Variable:
    """Return the currency: one, because no sum goes over two. The one with the most lines comes first."""
    return _one(
        "currency",
        "Currency",
        "Every amount is in this currency. None is converted.",
        f"select currency from {SCHEMA}.costs_by_month group by currency order by sum(line_items) desc, currency",
    )


def cloud() -> Variable:
    """Return the clouds with costs in the currency."""
    name = named("cloud_provider")
    return _some(
        "cloud",
        "Cloud",
        "Who provides the service.",
        f"select distinct {name} from {SCHEMA}.costs_by_month\n{where()}\norder by 1",
    )


def source() -> Variable:
    """Return the sources of the clouds."""
    return _some(
        "source",
        "Source",
        "The billing export, as sources.yaml names it.",
        f"select distinct source from {SCHEMA}.costs_by_month\n"
        f"{where(chosen('cloud', named('cloud_provider')))}\norder by 1",
    )


def all_sources() -> Variable:
    """Return every source that was ever loaded."""
    return _some(
        "source",
        "Source",
        "The billing export, as sources.yaml names it.",
        f"select distinct source from {SCHEMA}.load_history order by 1",
    )


def account(rows: str) -> Variable:
    """Return the accounts by name, with their ids as values; `rows` is the condition for the range."""
    return _some(
        "account",
        "Account",
        "The account that used it.",
        f"""select
    {named("account_id")} as __value,
    coalesce(max(account_name) || ' (' || account_id || ')', account_id, '(none)') as __text
from {SCHEMA}.costs
{where(rows, clouds_and_sources())}
group by account_id
order by __text""",
    )


def service() -> Variable:
    """Return all services."""
    return _some(
        "service",
        "Service",
        "The service, as the provider calls it.",
        f"""select distinct {named("service")}
from {SCHEMA}.costs_by_month
{where(clouds_and_sources())}
order by 1""",
    )


def tag() -> Variable:
    """Return the tag keys of the range; sources may spell one key differently."""
    return _one(
        "tag",
        "Tag",
        "A tag key that sources.yaml lists. Sources may spell it differently.",
        f"""select key
from {SCHEMA}.costs
cross join jsonb_object_keys(tags) as key
{where(DAYS, clouds_and_sources())}
group by key
order by count(*) desc, key""",
    )


def tag_value() -> Variable:
    """Return the values of the tag key in the range."""
    return _some(
        "tag_value",
        "Value",
        "The values of the tag.",
        f"""select distinct {TAG_VALUE}
from {SCHEMA}.costs
{where(DAYS, clouds_and_sources())}
order by 1""",
    )


def commitment_type() -> Variable:
    """Return the kinds of commitments of the range."""
    return _some(
        "commitment",
        "Commitment",
        "Savings Plans, reservations and committed use discounts, as the provider calls them.",
        f"""with {CHARGES}

select distinct {COMMITMENT}
from charges
{where_charges("commitmentdiscountid is not null")}
order by 1""",
    )


def _choice(name: str, label: str, description: str, values: dict[str, str]) -> Variable:
    """Return a variable with fixed values by their labels; the first is chosen."""
    options = [
        VariableOption(selected=at == 0, text=text, value=value) for at, (text, value) in enumerate(values.items())
    ]
    query = ",".join(f"{text} : {value}" for text, value in values.items())
    variable = CustomVariable(name).label(label).description(description).values(query)
    return variable.options(options).current(options[0])


def amount() -> Variable:
    """Return which of the three costs is shown."""
    return _choice(
        "amount",
        "Cost",
        "Effective spreads commitments over their use. Billed is the invoice. List is without discounts.",
        {"Effective": "effective_cost", "Billed": "billed_cost", "List": "list_cost"},
    )


def per() -> Variable:
    """Return the length of a period in the time series."""
    return _choice("per", "Per", "The length of a bar.", {"Day": "day", "Week": "week", "Month": "month"})
