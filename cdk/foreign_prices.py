"""The prices of other services that elsewhere.py counts with: each names the page it was read on, and of when that is.

Read on 2026-11-27, from stored copies of the vendors' own pages; AWS's price page fills its numbers in in a browser, so
that only its worked examples could be copied.
"""

from __future__ import annotations

READ = "2026-11-27"
AWS_COPY = (
    "https://raw.githubusercontent.com/api-evangelist/amazon-s3/refs/heads/main/plans/amazon-s3-plans-pricing.yml",
    "AWS's price page as somebody copied it on 2026-09-20",
)
TURBOPUFFER = (
    "https://turbopuffer.com/pricing.md",
    "the vendor's page, without a date; its price log is of 2026-09-11",
)
CHROMA_CLOUD = ("https://docs.trychroma.com/cloud/pricing.md", "the vendor's page, without a date")
CHROMA_SERVER = ("https://docs.trychroma.com/deployment/performance", "the vendor's page, without a date")
AURORA = (
    "https://raw.githubusercontent.com/aws/agent-toolkit-for-aws/main/skills/specialized-skills/database-skills/"
    "amazon-aurora-mysql/scripts/acu_calculator.py",
    "AWS's own tool, of 2026-03-28, and of Aurora MySQL",
)

FOREIGN = {  # name -> (US dollars, unit, (where it was read, what that is))
    "s3_vectors_month": (0.06, "S3 Vectors: GB-month", AWS_COPY),
    "s3_vectors_write": (0.20, "S3 Vectors: GB written", AWS_COPY),
    "s3_vectors_query": (2.50 / 1e6, "S3 Vectors: query", AWS_COPY),
    "turbopuffer_least": (16.0, "turbopuffer: least a month", TURBOPUFFER),
    "turbopuffer_month": (0.33, "turbopuffer: GB-month, indexed", TURBOPUFFER),
    "turbopuffer_write": (2.0, "turbopuffer: GB written, before discounts of batches", TURBOPUFFER),
    "turbopuffer_query": (1.0 / 1e6, "turbopuffer: GB queried", TURBOPUFFER),
    "turbopuffer_returned": (0.05, "turbopuffer: GB returned", TURBOPUFFER),
    "chroma_month": (0.33, "Chroma Cloud: GiB-month", CHROMA_CLOUD),
    "chroma_write": (2.50, "Chroma Cloud: GiB written", CHROMA_CLOUD),
    "chroma_query": (0.0075, "Chroma Cloud: TiB queried", CHROMA_CLOUD),
    "chroma_returned": (0.09, "Chroma Cloud: GiB returned", CHROMA_CLOUD),
    "aurora_acu": (0.12, "Aurora Serverless: ACU-hour", AURORA),
    "aurora_month": (0.10, "Aurora: GiB-month", AURORA),
}

TURBOPUFFER_LEAST_QUERY_GB = 1.28
TURBOPUFFER_STEPS = (
    (32.0, 1.0),
    (128.0, 0.2),
    (float("inf"), 0.04),
)  # GB of a namespace up to there, share of the price
CHROMA_SERVERS = (  # instance, records of 1,024 dimensions that fit, US dollars a month
    ("t3.small", 250_000, 15.936),
    ("t3.medium", 700_000, 31.072),
    ("t3.large", 1_700_000, 61.344),
    ("t3.xlarge", 3_600_000, 121.888),
    ("t3.2xlarge", 7_500_000, 242.976),
    ("r7i.2xlarge", 15_000_000, 386.944),
)
CHROMA_SERVER_DIMENSIONS = 1_024
LANCEDB_QUERY_SECONDS = 0.5  # from object storage: 500 to 1,000 ms, https://docs.lancedb.com/enterprise/features
