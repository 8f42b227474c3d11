"""Where AWS's own console shows the same thing."""

from urllib.parse import quote

from botocore.exceptions import ClientError

from operate.connection import Connection


def execution_page(connection: Connection, arn: str) -> str | None:
    """The page of an execution; None for a local stack."""
    if connection.endpoint_url is not None:
        return None
    return f"{_home(connection)}/states/home?region={connection.region}#/v2/executions/details/{arn}"


def log_page(connection: Connection, function: str) -> str:
    """Where a function's log is read: its log group in CloudWatch, or, for those who may not ask which that is, the
    function's own page."""
    home, region = _home(connection), connection.region
    try:
        answer = connection.client("lambda").get_function_configuration(FunctionName=function)
    except ClientError:
        return f"{home}/lambda/home?region={region}#/functions/{function}?tab=monitoring"
    group = answer.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{function}")
    # CloudWatch's page takes its fragment quoted twice, with $ for %.
    quoted = quote(quote(group, safe=""), safe="").replace("%", "$")
    return f"{home}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{quoted}"


def _home(connection: Connection) -> str:
    return f"https://{connection.region}.console.aws.amazon.com"
