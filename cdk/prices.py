"""The prices that cost.py counts with: each names AWS's list, where its number could be read, and of when that is."""

from __future__ import annotations

PRICES_OF = "us-east-1, without free tiers, at the prices below"
LISTS = {  # AWS's own price lists; their pages fill the numbers in in a browser
    "states": "https://aws.amazon.com/step-functions/pricing/",
    "lambda": "https://aws.amazon.com/lambda/pricing/",
    "efs": "https://aws.amazon.com/efs/pricing/",
    "s3": "https://aws.amazon.com/s3/pricing/",
    "dynamodb": "https://aws.amazon.com/dynamodb/pricing/on-demand/",
    "cloudwatch": "https://aws.amazon.com/cloudwatch/pricing/",
}
STATES = "AWS's own list, a copy without a date"
CHIPR = "[2024](https://cloudchipr.com/blog/aws-lambda-pricing)"
EVANGELIST = "[2026-05-05](https://github.com/api-evangelist/aws-lambda/blob/main/plans/aws-lambda-plans-pricing.yml)"
MINDS_EFS = "[June 2026](https://www.factualminds.com/blog/amazon-efs-pricing-throughput-modes-storage-classes/)"
BERRY = "[2022-07-07](https://gist.github.com/EverettBerry/a37438006529a55f42da6fdbc44a505c)"
AIRBYTE = "[2025-07-21](https://airbyte.com/data-engineering-resources/dynamodb-pricing)"
C3X = "[without a date](https://c3x.dev/resources/aws/aws_cloudwatch_metric_alarm)"
SIGNOZ = "[2026-02-15](https://signoz.io/guides/cloudwatch-pricing)"
MINDS_CW = "[2026-06-13](https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/)"
NOWHERE = "**not confirmed**: no source was found that states it with a date"
PRICES = {  # name -> (US dollars, unit, AWS's list, where the number was read and of when that is)
    "transition": (0.025 / 1000, "state transition", "states", STATES),
    "x86_second": (0.0000166667, "GB-second, x86", "lambda", CHIPR),
    "arm_second": (0.0000133334, "GB-second, arm64", "lambda", CHIPR),
    "request": (0.20 / 1e6, "Lambda request", "lambda", EVANGELIST),
    "efs_month": (0.30, "GB-month, EFS Standard", "efs", MINDS_EFS),
    "efs_read": (0.03, "GB read, elastic", "efs", MINDS_EFS),
    "efs_write": (0.06, "GB written, elastic", "efs", MINDS_EFS),
    "s3_month": (0.023, "GB-month, S3 Standard", "s3", BERRY),
    "s3_put": (0.005 / 1000, "PUT", "s3", NOWHERE),
    "s3_get": (0.0004 / 1000, "GET", "s3", NOWHERE),
    "dynamodb_write": (0.625 / 1e6, "write request unit", "dynamodb", AIRBYTE),
    "dynamodb_read": (0.125 / 1e6, "read request unit", "dynamodb", AIRBYTE),
    "alarm": (0.10, "metric of an alarm, month", "cloudwatch", C3X),
    "metric": (0.30, "metric-month", "cloudwatch", SIGNOZ),
    "dashboard": (3.00, "dashboard-month", "cloudwatch", MINDS_CW),
    "logs": (0.50, "GB of logs", "cloudwatch", MINDS_CW),
}
