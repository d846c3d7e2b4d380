"""The services on the sample bill, and the meters that price them.

Prices are near AWS's public ones, but nothing depends on that. A correct load names the service of a line by its
product, as AWS's FOCUS exports do (see `services`). The names come from real bills: the FinOps Foundation's sample
data, and the month of AWS's Well-Architected labs. The service columns differ from the product on purpose. As in that
month, data transfer has the product that caused it, and a service code and service name of data transfer. Some products
have no service code.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

Value: TypeAlias = str | Decimal | datetime
Values: TypeAlias = dict[str, Value]

MARKETPLACE = "AWS Marketplace"
TRANSFER = "AWSDataTransfer"


@dataclass(frozen=True, eq=False)
class Meter:
    """One price on the price list; an amount is a whole number from `low` to `high` times `quantum`."""

    product_code: str
    product_name: str
    family: str
    usage_type: str
    operation: str
    unit: str
    rate: Decimal
    low: int = 1
    high: int = 1
    quantum: Decimal = Decimal(1)
    weight: int = 1
    servicecode: str | None = None
    is_listed: bool = True
    resource: str = ""
    billing_entity: str = "AWS"
    factor: int = 0
    columns: Values = field(default_factory=dict)

    @property
    def service(self) -> str:
        """The name that a correct load gives the service."""
        return self.product_name


def _meter(code: str, name: str, family: str, usage: str, price: str, amounts: str = "1 1 1", **more: Any) -> Meter:
    usage_type, operation, unit = usage.split()
    low, high, quantum = amounts.split()
    settings: dict[str, Any] = {"servicecode": code, **more}
    return Meter(
        code, name, family, usage_type, operation, unit, Decimal(price), int(low), int(high),
           Decimal(quantum),
        **settings,
    )  # fmt: skip


_EC2, _RDS = "Amazon Elastic Compute Cloud", "Amazon Relational Database Service"
_S3, _CDN = "Amazon Simple Storage Service", "Amazon CloudFront"
_DYNAMO, _LAMBDA = "Amazon DynamoDB", "AWS Lambda"


def _instance(kind: str, family: str, vcpu: int, memory: str, factor: int) -> Values:
    return {
        "product_instance_type": kind,
        "product_instance_type_family": kind.removeprefix("db.").split(".")[0],
        "product_instance_family": family,
        "product_vcpu": str(vcpu),
        "product_memory": memory,
        "product_normalization_size_factor": str(factor),
        "product_current_generation": "Yes",
        "product_clock_speed": "3.1 GHz",
        "product_ecu": str(vcpu * 4),
        "product_network_performance": "Up to 10 Gigabit",
        "product_physical_processor": "Intel Xeon Platinum 8259 (Cascade Lake)",
        "product_processor_architecture": "64-bit",
        "product_processor_features": "Intel AVX, Intel AVX2, Intel AVX512, Intel Turbo",
        "product_intel_avx_available": "Yes",
        "product_storage": "EBS only",
        "product_license_model": "No License required",
    }


def box(kind: str, rate: str, factor: int, vcpu: int, memory: str, **more: Any) -> Meter:
    """Return the meter of an EC2 instance type by the hour."""
    columns = _instance(kind, "General purpose", vcpu, memory, factor) | {
        "product_operating_system": "Linux",
        "product_pre_installed_sw": "NA",
        "product_capacitystatus": "Used",
        "product_tenancy": "Shared",
        "product_enhanced_networking_supported": "Yes",
        "product_dedicated_ebs_throughput": "Up to 4750 Mbps",
    }
    usage = more.pop("usage", f"BoxUsage:{kind} RunInstances Hrs")
    return _meter(
        "AmazonEC2", _EC2, "Compute Instance", usage, rate, resource="i-{:017x}", factor=factor,
           columns=columns,
        **more,
    )  # fmt: skip


def database(kind: str, rate: str, factor: int, vcpu: int, memory: str, **more: Any) -> Meter:
    """Return the meter of an RDS instance type by the hour."""
    columns = _instance(kind, "Memory optimized", vcpu, memory, factor) | {
        "product_database_engine": "PostgreSQL",
        "product_engine_code": "14",
        "product_deployment_option": "Single-AZ",
    }
    return _meter(
        "AmazonRDS", _RDS, "Database Instance", f"InstanceUsage:{kind} CreateDBInstance:0014 Hrs", rate,
        resource="arn:aws:rds:{region}:{account}:db:orders-{:06x}", factor=factor, columns=columns, **more,
    )  # fmt: skip


_SPOT: dict[str, Any] = {
    # AWS exports no public price of Spot usage.
    "is_listed": False,
    "usage": "SpotUsage:m5.large RunInstances:SV001 Hrs",
}
_TRANSFER: dict[str, Any] = {
    "servicecode": TRANSFER,
    "columns": {"product_from_location_type": "AWS Region"},
}
_EBS: dict[str, Any] = {
    "resource": "vol-{:017x}",
    "columns": {"product_storage_media": "SSD-backed", "product_volume_api_name": "gp3"},
}
_BUCKET: dict[str, Any] = {"resource": "acme-{:06x}", "columns": {"product_durability": "99.999999999%"}}
_FIREWALL: dict[str, Any] = {
    "billing_entity": MARKETPLACE, "servicecode": "", "resource": "i-{:017x}",
    "columns": {"line_item_legal_entity": "Contoso Security GmbH"},
}  # fmt: skip
_LOGS: dict[str, Any] = {
    "billing_entity": MARKETPLACE,
    "columns": {"line_item_legal_entity": "Fabrikam, Inc."},
}

METERS: tuple[Meter, ...] = (
    box("m5.large", "0.0960000000", 4, 2, "8 GiB", weight=24),
    box("c5.2xlarge", "0.3400000000", 16, 8, "16 GiB", weight=20),
    box("r5.4xlarge", "1.0080000000", 32, 16, "128 GiB", weight=16),
    box("m5.12xlarge", "2.3040000000", 96, 48, "192 GiB", weight=50),
    box("c5.18xlarge", "3.0600000000", 144, 72, "144 GiB", weight=40),
    box("g5.12xlarge", "5.6720000000", 96, 48, "192 GiB", weight=16),
    box("t3.micro", "0.0104000000", 1, 2, "1 GiB", weight=12, amounts="1 4 0.25"),
    box("m5.large", "0.0347812500", 4, 2, "8 GiB", weight=16, **_SPOT),
    _meter("AmazonEC2", _EC2, "Storage", "EBS:VolumeUsage.gp3 CreateVolume-Gp3 GB-Mo", "0.0800000000",
           "13 672000 0.0001", weight=40, **_EBS),
    _meter("AmazonEC2", _EC2, "Storage Snapshot", "EBS:SnapshotUsage CreateSnapshot GB-Mo", "0.0500000000",
           "1 900000000 0.0000001", weight=12, resource="arn:aws:ec2:{region}:{account}:snapshot/snap-{:017x}"),
    _meter("AmazonEC2", _EC2, "NAT Gateway", "NatGateway-Hours NatGateway Hrs", "0.0450000000", weight=10,
           resource="arn:aws:ec2:{region}:{account}:natgateway/nat-{:017x}"),
    _meter("AmazonEC2", _EC2, "Data Transfer", "DataTransfer-Out-Bytes RunInstances GB", "0.0900000000",
           "1 900000000 0.0000001", weight=20, resource="i-{:017x}", **_TRANSFER),
    _meter("AmazonEC2", _EC2, "Data Transfer", "DataTransfer-In-Bytes RunInstances GB", "0.0000000000",
           "1 900000 0.0000001", weight=20, resource="i-{:017x}", **_TRANSFER),
    _meter("AmazonEC2", _EC2, "Data Transfer", "DataTransfer-Regional-Bytes InterZone-Out GB", "0.0100000000",
           "1 900000000 0.0000001", weight=14, resource="i-{:017x}", **_TRANSFER),
    _meter("AWSELB", "Elastic Load Balancing", "Load Balancer-Application",
           "LoadBalancerUsage LoadBalancing:Application Hrs", "0.0225000000", weight=12,
           resource="arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/web/{:016x}"),
    database("db.r5.large", "0.2500000000", 4, 2, "16 GiB", weight=8),
    database("db.m5.4xlarge", "1.4240000000", 32, 16, "64 GiB", weight=14),
    database("db.r5.12xlarge", "6.0000000000", 96, 48, "384 GiB", weight=12),
    _meter("AmazonRDS", _RDS, "Database Storage", "RDS:GP2-Storage CreateDBInstance:0014 GB-Mo",
           "0.1150000000",
           "13 134400 0.001", weight=10, resource="arn:aws:rds:{region}:{account}:db:orders-{:06x}",
           columns={"product_volume_type": "General Purpose"}),
    _meter("AmazonS3", _S3, "Storage", "TimedStorage-ByteHrs StandardStorage GB-Mo", "0.0230000000",
           "1 40000000 0.00001", weight=40, **_BUCKET),
    _meter("AmazonS3", _S3, "API Request", "Requests-Tier1 PutObject Requests", "0.0000050000", "1 1000000 1",
           weight=30, **_BUCKET),
    _meter("AmazonS3", _S3, "API Request", "Requests-Tier2 GetObject Requests", "0.0000004000", "1 9000000 1",
           weight=30, **_BUCKET),
    _meter("AmazonS3", _S3, "Data Transfer", "DataTransfer-Out-Bytes GetObject GB", "0.0900000000",
           "1 300000000 0.0000001", weight=14, resource="acme-{:06x}", **_TRANSFER),
    _meter("AWSLambda", _LAMBDA, "Serverless", "Lambda-GB-Second Invoke Lambda-GB-Second", "0.0000166667",
           "1 90000000 0.001", weight=24, resource="arn:aws:lambda:{region}:{account}:function:resize-{:06x}"),
    _meter("AWSLambda", _LAMBDA, "Serverless", "Request Invoke Requests", "0.0000002000", "1 3000000 1",
           weight=20,
           resource="arn:aws:lambda:{region}:{account}:function:resize-{:06x}"),
    _meter("AmazonCloudFront", _CDN, "Data Transfer", "US-DataTransfer-Out-Bytes GET GB", "0.0850000000",
           "1 600000000 0.0000001", weight=14, resource="arn:aws:cloudfront::{account}:distribution/E{:012X}"),
    _meter("AmazonCloudFront", _CDN, "Request", "US-Requests-Tier2-HTTPS GET Requests", "0.0000010000",
           "1 3000000 1",
           weight=12, resource="arn:aws:cloudfront::{account}:distribution/E{:012X}"),
    _meter("AmazonDynamoDB", _DYNAMO, "Amazon DynamoDB PayPerRequest Throughput",
           "ReadRequestUnits PayPerRequestThroughput ReadRequestUnits", "0.0000002500", "1 9000000 0.5",
           weight=20,
           resource="arn:aws:dynamodb:{region}:{account}:table/carts-{:06x}"),
    _meter("AmazonDynamoDB", _DYNAMO, "Amazon DynamoDB PayPerRequest Throughput",
           "WriteRequestUnits PayPerRequestThroughput WriteRequestUnits", "0.0000012500", "1 3000000 1",
           weight=14,
           resource="arn:aws:dynamodb:{region}:{account}:table/carts-{:06x}"),
    _meter("AWSGlue", "AWS Glue", "AWS Glue", "ETL-DPU-Hour Jobrun DPU-Hour", "0.4400000000",
           "1 400000 0.0001",
           weight=6, resource="arn:aws:glue:{region}:{account}:job/nightly-{:06x}"),
    _meter("AmazonAthena", "Amazon Athena", "Athena Queries", "DataScannedInTB RunQuery Terabytes",
           "5.0000000000",
           "1 9000000 0.0000001", weight=6, columns={"product_free_query_types": "DDL, failed queries"}),
    _meter("AmazonCloudWatch", "AmazonCloudWatch", "Metric", "CW:MetricMonitorUsage MetricStorage Metrics",
           "0.3000000000", "1 90000 0.0001", weight=18),
    _meter("AmazonCloudWatch", "AmazonCloudWatch", "Data Payload", "DataProcessing-Bytes PutLogEvents GB",
           "0.5000000000", "1 90000000 0.0000001", weight=14,
           resource="arn:aws:logs:{region}:{account}:log-group:/app/{:06x}"),
    _meter("awswaf", "AWS WAF", "Web Application Firewall", "RequestV2-Tier1 WAFRequests Requests",
           "0.0000006000", "1 3000000 1", weight=8,
           resource="arn:aws:wafv2:{region}:{account}:regional/webacl/shop/{:032x}"),
    _meter("awskms", "AWS Key Management Service", "API Request", "KMS-Requests Decrypt Requests",
           "0.0000030000",
           "1 900000 1", weight=10, resource="arn:aws:kms:{region}:{account}:key/{:032x}"),
    _meter("AWSQueueService", "Amazon Simple Queue Service", "API Request",
           "Requests-RBP SendMessage Requests",
           "0.0000004000", "1 3000000 1", weight=10, resource="arn:aws:sqs:{region}:{account}:mail-{:06x}",
           columns={"product_queue_type": "Standard", "product_message_delivery_order": "Best effort"}),
    _meter("AmazonSNS", "Amazon Simple Notification Service", "API Request",
           "Requests-Tier1 Publish Requests",
           "0.0000005000", "1 900000 1", weight=6, resource="arn:aws:sns:{region}:{account}:alerts-{:06x}"),
    _meter("AmazonEKS", "Amazon Elastic Container Service for Kubernetes", "Compute",
           "AmazonEKS-Hours:perCluster CreateOperation Hours", "0.1000000000", weight=6,
           resource="arn:aws:eks:{region}:{account}:cluster/prod-{:04x}"),
    _meter("AmazonGuardDuty", "Amazon GuardDuty", "Security", "PaidEventsAnalyzed CloudTrailEvent Events",
           "0.0000040000", "1 300000 1", weight=6),
    _meter("AWSCloudTrail", "AWS CloudTrail", "Management Tools", "FreeEventsRecorded None Events",
           "0.0000000000",
           "1 900 1", weight=10),
    _meter("AWSCloudTrail", "AWS CloudTrail", "", "InsightsEvents None Events", "0.0000035000", "1 9000 1",
           weight=4,
           servicecode=""),
    _meter("AmazonRoute53", "Amazon Route 53", "", "DNS-Queries A Queries", "0.0000004000", "1 1500000 1",
           weight=8,
           servicecode=""),
    _meter("dv2x4k7firewall9q", "Contoso Firewall \u201cPro\u201d, hourly", "",
           "SoftwareUsage:m5.large Hourly Hrs",
           "0.4125000000", weight=14, **_FIREWALL),
    _meter("8hj3logs5analytic", "Fabrikam Log Größen-Analyse", "", "MP:ingest_gb Ingest Units",
           "0.0312500000",
           "1 900000 0.001", weight=4, **_LOGS),
)  # fmt: skip
