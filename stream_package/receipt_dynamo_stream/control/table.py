"""The control table: what is published, what waits, what ran. One object for each kind of item and collection."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from receipt_dynamo_stream.control.erasures import Erasures
from receipt_dynamo_stream.control.generations import GenerationsOf
from receipt_dynamo_stream.control.head import CollectionHead
from receipt_dynamo_stream.control.history import History
from receipt_dynamo_stream.control.notes import Notes
from receipt_dynamo_stream.control.pending import PendingReceipts
from receipt_dynamo_stream.control.quarantine import Quarantine
from receipt_dynamo_stream.control.versions import Versions

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class ControlTable:
    """A control table by its name, and the DynamoDB client to reach it with. Making one asks AWS nothing."""

    client: "DynamoDBClient"
    name: str

    def head(self, collection: str) -> CollectionHead:
        """The lease and the pointer."""
        return CollectionHead(self.client, self.name, collection)

    def pending(self, collection: str) -> PendingReceipts:
        """The receipts with changes that no snapshot has yet."""
        return PendingReceipts(self.client, self.name, collection)

    def versions(self, collection: str) -> Versions:
        """What was published, or nearly."""
        return Versions(self.client, self.name, collection)

    def generations(self, collection: str) -> GenerationsOf:
        """Which generations a collection has, and which serves."""
        return GenerationsOf(self.client, self.name, collection)

    def history(self, collection: str) -> History:
        """The executions that began and ended."""
        return History(self.client, self.name, collection)

    def notes(self, collection: str) -> Notes:
        """The runs of which there is something to know."""
        return Notes(self.client, self.name, collection)

    def quarantine(self, collection: str) -> Quarantine:
        """The runs that wait for a person."""
        return Quarantine(self.client, self.name, collection)

    def erasures(self) -> Erasures:
        """How far erasures of deleted receipts are, of all collections."""
        return Erasures(self.client, self.name)
