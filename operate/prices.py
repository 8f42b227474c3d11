"""What AWS asks for what an operator starts, in us-east-1: numbers of cdk/prices.py, which says where each was read."""

from typing import Final

TRANSITION_DOLLARS: Final = 0.025 / 1000
"""Of one state transition."""
GB_SECOND_DOLLARS: Final = 0.0000166667
"""Of a function on x86."""
REQUEST_DOLLARS: Final = 0.20 / 1e6
"""Of one call of a function."""
EFS_READ_DOLLARS: Final = 0.03
EFS_WRITE_DOLLARS: Final = 0.06
"""Of a gigabyte, with elastic throughput."""
PUT_DOLLARS: Final = 0.005 / 1000
"""Of one object written to S3; what goes into the bucket costs nothing by the byte."""
