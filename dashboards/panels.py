"""The panels of the dashboards, in one look: numbers, charts over time, and tables that lead to the Costs page."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import common, stat, table, text, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, ThresholdsConfig
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    Panel,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.text import TextMode

from dashboards.variables import SOURCE, Variable

# Grafana's format with separators of thousands. No unit of Grafana's follows a variable, so titles name the currency.
MONEY = "locale"
SHARE = "percentunit"
COSTS_PAGE = "${airflow}/cloud-costs"
DAYS = "from=${__from:date:YYYY-MM-DD}&to=${__to:date:YYYY-MM-DD}"
MONTHS = "from=${__from:date:YYYY-MM}&to=${__to:date:YYYY-MM}"
# A step of colours holds from its value on, so "above" is from a little more.
LEAST = 1e-9

AnyPanel = Builder[Panel]


class Query(Builder[variants.Dataquery], variants.Dataquery):
    """A statement for Grafana's PostgreSQL data source, whose model the SDK does not have."""

    def __init__(self, sql: str, form: str = "table") -> None:
        self.sql = sql
        self.form = form

    def build(self) -> variants.Dataquery:
        """Return the query, which is its own model."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return the model of `grafana-postgresql-datasource`, in its editor's mode for code."""
        source: DataSourceRef = SOURCE
        return {
            "refId": "A",
            "datasource": source,
            "editorMode": "code",
            "format": self.form,
            "rawQuery": True,
            "rawSql": self.sql,
        }


def number(title: str, description: str, sql: str, unit: str = MONEY, bad_above: float | None = None) -> AnyPanel:
    """Return a panel with one number; above `bad_above` it is red."""
    steps = [Threshold(value=None, color="text" if bad_above is None else "green")]
    if bad_above is not None:
        steps.append(Threshold(value=bad_above + LEAST, color="red"))
    panel = stat.Panel().title(title).description(description).datasource(SOURCE).with_target(Query(sql))
    panel.unit(unit).decimals(2 if unit == MONEY else 1 if unit == SHARE else 0).height(4).span(6)
    panel.thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    panel.color_mode(BigValueColorMode.VALUE).graph_mode(BigValueGraphMode.NONE)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))


def bars(title: str, description: str, sql: str, unit: str = MONEY, span: int = 12) -> AnyPanel:
    """Return a panel with stacked bars over time, from the columns `time`, `metric` and `value`."""
    panel = timeseries.Panel().title(title).description(description).datasource(SOURCE)
    panel.with_target(Query(sql, "time_series")).interval("1d").height(9).span(span)
    panel.unit(unit).decimals(2 if unit == MONEY else 0)
    panel.draw_style(GraphDrawStyle.BARS).line_width(0).fill_opacity(80)
    panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.RIGHT)
    return panel.legend(legend.show_legend(True).calcs(["sum"]).sort_by("Total").sort_desc(True))


def lines(title: str, description: str, sql: str, span: int = 12) -> AnyPanel:
    """Return a panel with lines of amounts over time, from the columns `time`, `metric` and `value`."""
    panel = timeseries.Panel().title(title).description(description).datasource(SOURCE)
    panel.with_target(Query(sql, "time_series")).interval("1d").height(9).span(span)
    panel.unit(MONEY).decimals(2).draw_style(GraphDrawStyle.LINE).line_width(2).fill_opacity(0)
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return panel.legend(legend.show_legend(True))


def rows(
    title: str,
    description: str,
    sql: str,
    units: Mapping[str, str],
    links: Mapping[str, tuple[str, str]] | None = None,
    span: int = 12,
    limits: Mapping[str, float] | None = None,
    hidden: Sequence[str] = (),
) -> AnyPanel:
    """Return a table.

    `units` has the unit of each column with numbers. `links` has the title and the address behind the cells of a
    column. `limits` has numbers above which the cells of a column are red. `hidden` are columns that only addresses
    read.
    """
    panel = table.Panel().title(title).description(description).datasource(SOURCE).with_target(Query(sql))
    panel.height(9).span(span).show_header(True)
    for name, unit in units.items():
        properties = [DynamicConfigValue("unit", unit)]
        if unit in (MONEY, SHARE):
            properties.append(DynamicConfigValue("decimals", 2 if unit == MONEY else 1))
        if limits and name in limits:
            properties += _red_above(limits[name])
        panel.override_by_name(name, properties)
    for name, (link, address) in (links or {}).items():
        values = [{"title": link, "url": address, "targetBlank": True}]
        panel.override_by_name(name, [DynamicConfigValue("links", values)])
    for name in hidden:
        panel.override_by_name(name, [DynamicConfigValue("custom.hidden", True)])
    return panel


def note(content: str) -> AnyPanel:
    """Return a panel with a text in Markdown."""
    return text.Panel().title("").mode(TextMode.MARKDOWN).content(content).transparent(True).height(3).span(24)


def explore(dates: str, **state: str) -> str:
    """Return the address of the Costs page with the range and the currency of the dashboard.

    `dates` is usage or billing: whether the range is of days of use or of billing months. `state` has more parameters,
    as they stand in an address.
    """
    more = "".join(f"&{name}={value}" for name, value in state.items())
    chosen = MONTHS if dates == "billing" else DAYS
    return f"{COSTS_PAGE}/explore?currency=${{currency:percentencode}}&dates={dates}&{chosen}{more}"


def clicked(column: str) -> str:
    """Return the value of a column in the row that was clicked, for an address."""
    return f"${{__data.fields.{column}:percentencode}}"


def dashboard(name: str, title: str, description: str, variables: Sequence[Variable], page: str) -> Dashboard:
    """Return a dashboard without panels, which leads to the others and to a page below `/cloud-costs/`.

    Days are days in UTC, as in the tables.
    """
    found = Dashboard(title).uid(f"cloud-costs-{name}").description(description).tags(["cloud-costs"])
    found.timezone("utc").editable().refresh("")
    others = DashboardLink("Cloud Costs").type(DashboardLinkType.DASHBOARDS).tags(["cloud-costs"]).as_dropdown(True)
    costs_page = DashboardLink("Costs page").type(DashboardLinkType.LINK).icon("external link").target_blank(True)
    costs_page.tooltip("The same numbers in Airflow, down to the line of the bill").url(page)
    found.links([others.include_vars(True).keep_time(True), costs_page])
    return found.variables(list(variables))


def _red_above(limit: float) -> list[DynamicConfigValue]:
    colors = {"green": None, "text": limit, "red": limit + LEAST}
    steps = [{"color": color, "value": value} for color, value in colors.items()]
    return [
        DynamicConfigValue("thresholds", {"mode": "absolute", "steps": steps}),
        DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
    ]
