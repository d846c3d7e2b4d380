"""The words of AWS's FOCUS export for the codes of a usage report: the categories of services, and units.

The words are those of the FinOps Foundation's sample data (FOCUS-Sample-Data,
FOCUS-1.0/focus_sample.csv): a month of a real FOCUS 1.0 export of AWS, anonymized. In it, ServiceName is what AWS
documents as product/ProductName of a usage report ("The full name of the AWS service", Data Exports user guide, product
columns), for data transfer too. AWS publishes no table of categories. Services that the sample does not have are in
categories near the examples of FOCUS, and FOCUS 1.0 has no subcategories. No total depends on any of them.
"""

AWS_INVOICES = "Amazon Web Services, Inc."

_CATEGORIES: dict[str, tuple[str, str]] = {
    "AWS CloudTrail": ("Management and Governance", "Observability"),
    "AWS Glue": ("Analytics", "Data Processing"),
    "AWS Key Management Service": ("Identity", "Other (Identity)"),
    "AWS Lambda": ("Compute", "Serverless Compute"),
    "AWS WAF": ("Security", "Other (Security)"),
    "Amazon Athena": ("Analytics", "Analytics Platforms"),
    "Amazon CloudFront": ("Networking", "Content Delivery"),
    "Amazon DynamoDB": ("Databases", "NoSQL Databases"),
    "Amazon Elastic Compute Cloud": ("Compute", "Virtual Machines"),
    "Amazon GuardDuty": ("Security", "Threat Detection and Response"),
    "Amazon Redshift": ("Databases", "Data Warehouses"),
    "Amazon Relational Database Service": ("Databases", "Relational Databases"),
    "Amazon Route 53": ("Networking", "Network Routing"),
    "Amazon Simple Notification Service": ("Integration", "Messaging"),
    "Amazon Simple Queue Service": ("Integration", "Messaging"),
    "Amazon Simple Storage Service": ("Storage", "Object Storage"),
    "AmazonCloudWatch": ("Management and Governance", "Observability"),
    "Elastic Load Balancing": ("Networking", "Application Networking"),
    "Savings Plans for AWS Compute usage": ("Compute", "Other (Compute)"),
}
_VOLUMES = ("Storage", "Other (Storage)")

_UNITS = {
    "DPU-Hour": "DPU-Hours",
    "GB-Mo": "GB-Months",
    "Hrs": "Hours",
    "Lambda-GB-Second": "Lambda-GB-Seconds",
    "Terabytes": "TB",
}


def service_category(service: str, resource: str) -> tuple[str, str]:
    """Return ServiceCategory and ServiceSubcategory: AWS has the volumes of EC2 under Storage."""
    if resource.startswith("vol-"):
        return _VOLUMES
    return _CATEGORIES.get(service, ("Other", "Other (Other)"))


def focus_unit(unit: str) -> str:
    """Return a unit of a usage report as a FOCUS export has it."""
    return _UNITS.get(unit, unit)
