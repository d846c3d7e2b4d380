-- FOCUS files of any provider (1.0 to 1.4, and Oracle's, which have the names of the 1.0 preview) as FOCUS 1.2 charges:
-- the columns as they are, but for what providers are known to write otherwise. The lines hold the columns of
-- focus_columns.csv. A cost that a file leaves out is the contracted one for ListCost, and else BilledCost. A charge
-- of no sub account, as a provider without such accounts has it, is the billing account's own.
--
-- An export of this package has x_lineitems. Its costs are those of the source that it was exported from, so a charge
-- of no sub account stays one, and a charge counts for as many exported lines as it did there.

select
    lines.*,
    coalesce(lines.exported_billed_cost, 0) as billedcost,
    coalesce(lines.exported_contracted_cost, 0) as contractedcost,
    coalesce(lines.exported_effective_cost, 0) as effectivecost,
    coalesce(lines.exported_list_cost, 0) as listcost,
    -- Google's own view writes them in lower case.
    case
        when lower(lines.exported_charge_category) in ('usage', 'purchase', 'tax', 'credit', 'adjustment')
            then initcap(lines.exported_charge_category)
        else lines.exported_charge_category
    end as chargecategory,
    -- FOCUS 1.4 has no ProviderName any more.
    coalesce(lines.exported_provider_name, lines.x_serviceprovidername) as providername,
    lines.exported_charge_category as x_lineitemtype,
    lines.counted_lines as x_lineitems,
    coalesce(
        lines.exported_sub_account_id,
        case when lines.exported_by is null then lines.billingaccountid end
    ) as subaccountid,
    coalesce(
        lower(lines.exported_charge_category) in ('usage', 'purchase', 'tax', 'credit', 'adjustment'), false
    ) as x_typeisknown,
    -- The end is exclusive. Oracle writes the last millisecond of the month, Google's own view its last day.
    case
        when
            lines.exported_period_end < lines.billingperiodstart + interval '1 month'
            and lines.exported_period_end >= lines.billingperiodstart + interval '1 month' - interval '1 day'
            then lines.billingperiodstart + interval '1 month'
        else lines.exported_period_end
    end as billingperiodend
from (
    {lines}
) as lines
