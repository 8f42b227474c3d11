"""What things are called in the local stack. The account is moto's own."""

ACCOUNT = "123456789012"
REGION = "us-east-1"
HOST = "127.0.0.1"

RECEIPTS_TABLE = "receipts"
CONTROL_TABLE = "compaction-control"
BUCKET = "compaction"
FAILURE_QUEUE = "compaction-failures"
STATE_MACHINE = "compaction"
STATE_MACHINE_ARN = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{STATE_MACHINE}"
STREAM_HANDLER = "StreamHandler"
RECORDER = "RecordExecution"
PROBE = "Probe"


def function_arn(name: str) -> str:
    """The ARN of a function in the local account."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def function_name(name_or_arn: str) -> str:
    """The function's bare name, however the caller wrote it: a name, part of an ARN, an ARN, with a version or not."""
    parts = name_or_arn.split(":")
    if "function" in parts[:-1]:
        return parts[parts.index("function") + 1]
    return parts[0]
