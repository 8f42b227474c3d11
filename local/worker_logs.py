"""The workers' logs under the name that the changelog promises; they live in `local.lambdas`."""

from local.lambdas.worker_logs import find_invocation

__all__ = ["find_invocation"]
