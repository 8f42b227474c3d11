"""The generations of a collection, on the collection's HEAD: which are kept up, which serves, which was made last.

`serving` and `serving_order` are written by the machine's CommitSwitch, under the lease. This module writes the rest,
conditionally and without a lease, as an operator's `pause` does.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from receipt_dynamo_stream.attributes import Item, int_of, number, string, text_of
from receipt_dynamo_stream.conditions import update_if
from receipt_dynamo_stream.control.head import head_key
from receipt_dynamo_stream.control.part import Part
from receipt_dynamo_stream.errors import GenerationRefused
from receipt_dynamo_stream.generations import generation_name, number_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import UpdateTypeDef


@dataclass(frozen=True, slots=True)
class Generations:
    """What HEAD of a collection says. active: those in which every change is marked, the oldest first.

    serving: what readers follow; order: how often that has changed. newest: the number of the last one that was made.
    switching: since when, and to which, the schedule switches as soon as it is complete. unseen: a switch that readers
    may not see yet.
    """

    collection: str
    active: tuple[str, ...]
    serving: str
    order: int = 0
    newest: int = 1
    switching: str | None = None
    unseen: str | None = None

    @property
    def kept_up(self) -> str:
        """The active ones as HEAD has them, for conditions."""
        return " ".join(self.active)

    @property
    def beside(self) -> str | None:
        """The active generation that does not serve; None when there is none."""
        return next((one for one in self.active if one != self.serving), None)


def parse_generations(collection: str, item: Item) -> Generations:
    """From HEAD's item; a collection that never had a second generation says nothing of them."""
    active = tuple(sorted((text_of(item, "active") or collection).split(), key=number_of))
    return Generations(
        collection=collection,
        active=active,
        serving=text_of(item, "serving") or collection,
        order=int_of(item, "serving_order"),
        newest=max(1, int_of(item, "generations")),
        switching=text_of(item, "switching"),
        unseen=text_of(item, "serving_unseen"),
    )


class GenerationsOf(Part):
    """The generations of one collection, named by the collection's own name."""

    def read(self) -> Generations:
        """By a consistent read of HEAD."""
        answer = self.client.get_item(TableName=self.table, Key=head_key(self.collection), ConsistentRead=True)
        return parse_generations(self.collection, answer.get("Item") or {})

    def begin(self, *, model: str, dimension: int | None, shards: int, now: str) -> Generations:
        """Make the next generation, and keep it up from now on; the generations as they are then.

        Its HEAD and the collection's change together, so that of two who begin at once one is refused. The caller marks
        every receipt in it afterwards. Raises GenerationRefused when there is a second one already, when the collection
        has no snapshot, or when somebody else changes them; other errors of AWS as they are.
        """
        from botocore.exceptions import ClientError

        was = self.read()
        if was.beside is not None:
            raise GenerationRefused(
                f"{self.collection} has the generation {was.beside} beside {was.serving}: finish that first"
            )
        name = generation_name(self.collection, was.newest + 1)
        collection: UpdateTypeDef = {
            "TableName": self.table,
            "Key": head_key(self.collection),
            "ConditionExpression": "attribute_exists(snapshot_id)"
            f" AND (active = :was{_or_none('active', was.active == (self.collection,))})"
            f" AND (generations = :number{_or_none('generations', was.newest == 1)})",
            "UpdateExpression": "SET active = :active, generations = :newest",
            "ExpressionAttributeValues": {
                ":active": string(f"{was.kept_up} {name}"),
                ":newest": number(was.newest + 1),
                ":was": string(was.kept_up),
                ":number": number(was.newest),
            },
        }
        try:
            self.client.transact_write_items(
                TransactItems=[{"Update": self._made(name, model, dimension, shards, now)}, {"Update": collection}]
            )
        except ClientError as error:
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            if "ConditionalCheckFailed" not in reasons:
                raise
            if reasons[0] == "ConditionalCheckFailed":
                why = f"{name} is there already, and HEAD of {self.collection} does not know it"
            else:
                why = f"{self.collection} has no snapshot yet, or somebody changes its generations now: look again"
            raise GenerationRefused(why) from error
        return self.read()

    def finish(self, keep: str) -> Generations:
        """Keep up only one generation, the one that serves. Raises GenerationRefused when another one does by now."""
        or_first = " OR attribute_not_exists(serving)" if keep == self.collection else ""
        applied, _ = update_if(
            self.client,
            table=self.table,
            key=head_key(self.collection),
            condition=f"attribute_exists(snapshot_id) AND (serving = :keep{or_first})",
            UpdateExpression="SET active = :keep REMOVE switching",
            ExpressionAttributeValues={":keep": string(keep)},
        )
        if not applied:
            raise GenerationRefused(f"{keep} does not serve {self.collection}: look which does, and finish again")
        return self.read()

    def take_up(self, serving: str, order: int) -> None:
        """Let a HEAD that was lost know which generation serves, as the bucket says. Only that one is kept up then."""
        update_if(
            self.client,
            table=self.table,
            key=head_key(self.collection),
            condition="attribute_exists(snapshot_id) AND attribute_not_exists(serving_order)",
            UpdateExpression="SET serving = :serving, active = :serving, serving_order = :order, generations = :number",
            ExpressionAttributeValues={
                ":serving": string(serving),
                ":order": number(order),
                ":number": number(number_of(serving)),
            },
        )

    def switch_when_complete(self, generation: str, *, now: str) -> None:
        """Let the schedule switch to it as soon as it is complete; nothing, when it is not kept up."""
        was = self.read()
        if generation not in was.active:
            return
        update_if(
            self.client,
            table=self.table,
            key=head_key(self.collection),
            condition="active = :was",
            UpdateExpression="SET switching = :what",
            ExpressionAttributeValues={":was": string(was.kept_up), ":what": string(f"{generation} {now}")},
        )

    def note_seen(self, order: int) -> None:
        """Readers see the switch of this order."""
        update_if(
            self.client,
            table=self.table,
            key=head_key(self.collection),
            condition="serving_order = :order",
            UpdateExpression="REMOVE serving_unseen",
            ExpressionAttributeValues={":order": number(order)},
        )

    def pass_by(self, seen: int, *, holder: str, fence: int) -> None:
        """HEAD went back, and readers have seen a later switch: go past it, so that they follow HEAD again."""
        update_if(
            self.client,
            table=self.table,
            key=head_key(self.collection),
            condition="holder = :holder AND fence = :fence"
            " AND (attribute_not_exists(serving_order) OR serving_order <= :seen)",
            UpdateExpression="SET serving = if_not_exists(serving, :collection), serving_order = :order",
            ExpressionAttributeValues={
                ":holder": string(holder),
                ":fence": number(fence),
                ":seen": number(seen),
                ":order": number(seen + 1),
                ":collection": string(self.collection),
            },
        )

    def _made(self, name: str, model: str, dimension: int | None, shards: int, now: str) -> "UpdateTypeDef":
        """HEAD of a new generation; one that an execution has had is somebody's."""
        return {
            "TableName": self.table,
            "Key": head_key(name),
            "ConditionExpression": "attribute_not_exists(fence)",
            "UpdateExpression": "SET model = :model, shards = :shards, made_at = :now"
            + (", dimension = :dimension" if dimension else " REMOVE dimension"),
            "ExpressionAttributeValues": {
                ":model": string(model),
                ":shards": number(shards),
                ":now": string(now),
                **({":dimension": number(dimension)} if dimension else {}),
            },
        }


def _or_none(attribute: str, may_be: bool) -> str:
    return f" OR attribute_not_exists({attribute})" if may_be else ""
