"""FOCUS's categories of the services on the sample bill."""

_CATEGORIES: dict[str, tuple[str, str]] = {
    "AWSDataTransfer": ("Networking", "Other (Networking)"),
    "AWSELB": ("Networking", "Network Routing"),
    "AWSGlue": ("Analytics", "Data Processing"),
    "AWSLambda": ("Compute", "Serverless Compute"),
    "AWSQueueService": ("Integration", "Messaging"),
    "AmazonAthena": ("Analytics", "Analytics Platforms"),
    "AmazonCloudFront": ("Networking", "Content Delivery"),
    "AmazonCloudWatch": ("Management and Governance", "Observability"),
    "AmazonDynamoDB": ("Databases", "NoSQL Databases"),
    "AmazonEC2": ("Compute", "Virtual Machines"),
    "AmazonECS": ("Compute", "Containers"),
    "AmazonEKS": ("Compute", "Containers"),
    "AmazonGuardDuty": ("Security", "Threat Detection and Response"),
    "AmazonRDS": ("Databases", "Relational Databases"),
    "AmazonRedshift": ("Databases", "Data Warehouses"),
    "AmazonS3": ("Storage", "Object Storage"),
    "AmazonSNS": ("Integration", "Messaging"),
    "ComputeSavingsPlans": ("Compute", "Other (Compute)"),
    "awskms": ("Security", "Other (Security)"),
    "awswaf": ("Security", "Network Security"),
}


def service_category(service: str) -> tuple[str, str]:
    """Return ServiceCategory and ServiceSubcategory."""
    return _CATEGORIES.get(service, ("Other", "Other (Other)"))
