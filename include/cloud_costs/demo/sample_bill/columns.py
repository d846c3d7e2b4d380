"""The columns of a legacy CUR Parquet file, by their Athena names, in AWS's order.

The set is that of an export with resource ids, Savings Plans, reservations, split cost allocation and one
cost category; only a bill on the net basis has the `net` columns. AWS drops and adds columns with the
services and tags that a month uses; `column_names` imitates that with two of them.
"""

from datetime import date
from typing import Literal

ColumnType = Literal["string", "double", "timestamp"]

APPEARING_TAG = "resource_tags_user_project"
VANISHING_PRODUCT = "product_ecu"

_NAMES: dict[str, str] = {
    "identity": "line_item_id time_interval",
    "bill": """invoice_id billing_entity bill_type payer_account_id billing_period_start_date
        billing_period_end_date""",
    "line_item": """usage_account_id line_item_type usage_start_date usage_end_date product_code
        usage_type operation availability_zone resource_id usage_amount normalization_factor
        normalized_usage_amount currency_code unblended_rate unblended_cost blended_rate
        blended_cost net_unblended_rate net_unblended_cost line_item_description tax_type
        legal_entity""",
    "product": """product_name availability capacitystatus clock_speed current_generation
        database_engine dedicated_ebs_throughput deployment_option description durability
        ecu edition engine_code enhanced_networking_supported free_query_types from_location
        from_location_type from_region_code group group_description instance_family
        instance_type instance_type_family intel_avx2_available intel_avx_available
        intel_turbo_available license_model location location_type
        max_iops_burst_performance max_iopsvolume max_throughputvolume max_volume_size
        memory message_delivery_frequency message_delivery_order min_volume_size
        network_performance normalization_size_factor operating_system operation
        physical_processor pre_installed_sw processor_architecture processor_features
        product_family queue_type region region_code request_type servicecode servicename
        sku storage storage_class storage_media subscription_type tenancy to_location
        to_location_type to_region_code transfer_type usagetype vcpu version volume_api_name
        volume_type""",
    "pricing": """currency lease_contract_length offering_class public_on_demand_cost
        public_on_demand_rate purchase_option rate_code rate_id term unit""",
    "reservation": """amortized_upfront_cost_for_usage amortized_upfront_fee_for_billing_period
        availability_zone effective_cost end_time modification_status
        net_amortized_upfront_cost_for_usage net_amortized_upfront_fee_for_billing_period
        net_effective_cost net_recurring_fee_for_usage
        net_unused_amortized_upfront_fee_for_billing_period net_unused_recurring_fee
        net_upfront_value normalized_units_per_reservation number_of_reservations recurring_fee_for_usage
        reservation_a_r_n start_time subscription_id total_reserved_normalized_units
        total_reserved_units units_per_reservation
        unused_amortized_upfront_fee_for_billing_period unused_normalized_unit_quantity
        unused_quantity unused_recurring_fee upfront_value""",
    "savings_plan": """amortized_upfront_commitment_for_billing_period end_time instance_type_family
        net_amortized_upfront_commitment_for_billing_period
        net_recurring_commitment_for_billing_period net_savings_plan_effective_cost
        offering_type payment_option purchase_term recurring_commitment_for_billing_period
        region savings_plan_a_r_n savings_plan_effective_cost savings_plan_rate start_time
        total_commitment_to_date used_commitment""",
    "split_line_item": """actual_usage net_split_cost net_unused_cost parent_resource_id reserved_usage split_cost
        split_usage split_usage_ratio unused_cost""",
    "cost_category": "product_line",
    "resource_tags": """aws_autoscaling_group_name aws_created_by user_cost_center user_department
        user_environment user_name user_owner user_project user_team user_workload""",
}

CATEGORIES: dict[str, str] = {
    f"{category}_{name}": category for category, names in _NAMES.items() for name in names.split()
}

TIMESTAMPS = frozenset(
    {
        "bill_billing_period_start_date",
        "bill_billing_period_end_date",
        "line_item_usage_start_date",
        "line_item_usage_end_date",
    }
)

_ENDINGS_OF_DOUBLES = (
    *("_cost", "_factor", "_quantity", "_fee", "_amount", "_discount", "_usage", "_usage_ratio"),
    *("_fee_for_billing_period", "_commitment_for_billing_period", "_upfront_value"),
    *("_savings_plan_rate", "_commitment_to_date", "_used_commitment"),
)
_ALWAYS_STRINGS = ("product_", "resource_tags_", "cost_category_")


def column_names(month: date, net: bool = False) -> list[str]:
    """Return the month's columns. January lacks a tag that later months have, and March and later a product column."""
    absent = {APPEARING_TAG} if month.month < 2 else {VANISHING_PRODUCT} if month.month >= 3 else set()
    return [name for name in CATEGORIES if name not in absent and (net or not is_net(name))]


def is_net(name: str) -> bool:
    """Return whether only a bill on the net basis has the column."""
    category = CATEGORIES.get(name, "")
    return name.removeprefix(category).startswith("_net_")


def column_type(name: str) -> ColumnType:
    """Return the Parquet type that AWS gives a column, by the ending of its name."""
    if name in TIMESTAMPS:
        return "timestamp"
    return "double" if name.endswith(_ENDINGS_OF_DOUBLES) and not name.startswith(_ALWAYS_STRINGS) else "string"
