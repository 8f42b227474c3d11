"""Pending receipts in a dictionary: what a page of rules says of them, without DynamoDB. A test of the real ones holds
it to them, call by call."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from receipt_dynamo_stream import ReceiptId
from receipt_dynamo_stream.control.pending import PendingReceipt


class Notebook:
    """The methods of PendingReceipts that a round uses."""

    def __init__(self) -> None:
        self.of: dict[ReceiptId, PendingReceipt] = {}
        self.begun: dict[ReceiptId, str] = {}

    def mark(
        self, reasons: Mapping[ReceiptId, Collection[str]], *, now: str, new_token: Callable[[], str]
    ) -> dict[ReceiptId, Exception]:
        for receipt in sorted(reasons):
            old = self.of.get(receipt) or PendingReceipt(receipt, "", now, now)
            self.of[receipt] = replace(
                old, change=new_token(), last_changed_at=now, reasons=old.reasons | set(reasons[receipt])
            )
        return {}

    def read(self) -> list[PendingReceipt]:
        return sorted(self.of.values(), key=lambda one: (one.first_changed_at, one.receipt))

    def settle(self, receipt: ReceiptId, change: str) -> bool:
        if receipt in self.of and self.of[receipt].change == change:
            del self.of[receipt]
            self.begun.pop(receipt, None)
            return True
        if receipt in self.of and self.of[receipt].together:
            self.forgive(receipt)
        return False

    def suspect(self, receipt: ReceiptId, *, together: int, base: int | None = None, order: str = "") -> bool:
        if not self._is_newer(receipt, order):
            return False
        self.of[receipt] = replace(self.of[receipt], together=together, failed_base=base, failed_by=order)
        return True

    def tried_without(self, receipt: ReceiptId, *, order: str) -> bool:
        if not self._is_newer(receipt, order):
            return False
        self.of[receipt] = replace(self.of[receipt], failed_by=order)
        return True

    def contrast(self, receipt: ReceiptId) -> bool:
        if receipt in self.of:
            self.of[receipt] = replace(self.of[receipt], failed_base=None)
        return receipt in self.of

    def acquit_run(self, receipt: ReceiptId, *, order: str) -> bool:
        if not self._is_newer(receipt, order):
            return False
        self.of[receipt] = replace(self.of[receipt], attempts=0, failed_base=None)
        self.begun.pop(receipt, None)
        return True

    def begin(self, receipt: ReceiptId, plan_key: str) -> bool:
        if receipt in self.of:
            self.begun[receipt] = plan_key
        return receipt in self.of

    def end(self, receipt: ReceiptId, plan_key: str) -> bool:
        if self.begun.get(receipt) != plan_key:
            return False
        del self.begun[receipt]
        return True

    def count_attempt(self, receipt: ReceiptId, *, plan_key: str, base: int, order: str) -> int:
        one = self.of.get(receipt)
        if one is None:
            return 0
        contrasted = one.failed_base is None or one.failed_base < base
        if self.begun.get(receipt) == plan_key and contrasted and self._is_newer(receipt, order):
            del self.begun[receipt]
            self.of[receipt] = replace(one, together=1, failed_by=order, failed_base=base, attempts=one.attempts + 1)
        return self.of[receipt].attempts if self.of[receipt].failed_by == order else 0

    def ease(self) -> None:
        newest = max((one.failed_by for one in self.of.values() if one.together), default="")
        for receipt, one in self.of.items():
            if one.together and not one.attempts and one.failed_by < newest:
                self.of[receipt] = replace(one, together=2 * one.together)

    def forgive(self, receipt: ReceiptId) -> bool:
        if receipt in self.of:
            self.of[receipt] = replace(self.of[receipt], attempts=0, together=0, failed_by="", failed_base=None)
            self.begun.pop(receipt, None)
        return receipt in self.of

    def _is_newer(self, receipt: ReceiptId, order: str) -> bool:
        return receipt in self.of and (not self.of[receipt].failed_by or self.of[receipt].failed_by < order)
