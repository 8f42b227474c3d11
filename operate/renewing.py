"""A renewal: a collection gets another embedding model, in a generation beside the one that serves.

Begun once, filled by the runs that producers announce for its model, watched, switched to, switched back from as often
as is wanted, and finished.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from receipt_chroma.readiness import Readiness, readiness
from receipt_chroma.snapshot.manifest import Manifest
from receipt_dynamo_stream.control.generations import Generations
from receipt_dynamo_stream.control.head import Head
from receipt_dynamo_stream.errors import GenerationRefused
from receipt_dynamo_stream.generations import collection_of, generation_name

from operate.collections import Collections
from operate.errors import GenerationUnready, SnapshotNotFound, UsageError
from operate.executions import Executions
from operate.renewal_plan import RenewalPlan, plan_renewal
from operate.resharding import number_of_shards
from operate.services import Services
from operate.stored import Stored, unreadable


@dataclass(frozen=True)
class GenerationNow:
    """One generation that is kept up. dimension: of its vectors, or what was asked for before it has any; None where
    neither is known."""

    name: str
    model: str
    dimension: int | None
    serves: bool
    version: int
    records: int
    pending: int
    quarantined: int
    paused: str | None


@dataclass(frozen=True)
class Renewal:
    """How it stands. beside: the generation that does not serve, None when there is only one; readiness: how much of
    the serving one it has, where there is one. switching: the generation that the schedule switches to when it is
    complete, and since when it may; unseen: since when readers may not see the last switch.
    """

    collection: str
    serving: str
    beside: str | None
    generations: tuple[GenerationNow, ...]
    readiness: Readiness | None
    switching: str | None
    unseen: str | None

    def of(self, name: str) -> GenerationNow:
        """One of its generations. Raises GenerationUnready for another name."""
        for one in self.generations:
            if one.name == name:
                return one
        kept = " and ".join(one.name for one in self.generations)
        raise GenerationUnready(f"{name} is not kept up: of {self.collection} {kept} {_are(self.generations)}")

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        found = self.readiness
        more = {"missing": found.missing, "is_complete": found.is_complete} if found else {}
        return {**asdict(self), "readiness": {**asdict(found), **more} if found else None}


@dataclass(frozen=True)
class Begun:
    """The generation that was begun, how many receipts were marked in it, and the execution that was started."""

    generation: str
    receipts: int
    arn: str


class Renewing:
    """A collection is given by its own name, not by that of a generation: a renewal is of all of them."""

    def __init__(self, services: Services, stored: Stored, collections: Collections, executions: Executions) -> None:
        self._services = services
        self._stored = stored
        self._collections = collections
        self._executions = executions

    # What is

    def stands(self, collection: str) -> Renewal:
        """How a renewal stands, or that there is none. Raises UsageError, CollectionNotFound, VersionUnreadable."""
        now = self._generations(collection)
        heads = {name: self._collections.head(name) for name in now.active}
        manifests = {name: self._manifest(head) for name, head in heads.items()}
        serving, found = manifests[now.serving], None
        if now.beside is not None and serving is not None:
            with unreadable("the receipts of a generation cannot be read"):
                found = readiness(self._services.bucket, serving, manifests[now.beside])
        return Renewal(
            collection=collection,
            serving=now.serving,
            beside=now.beside,
            generations=tuple(self._one(name, heads[name], manifests[name], now) for name in now.active),
            readiness=found,
            switching=now.switching,
            unseen=now.unseen,
        )

    def across(self, name: str, other: str) -> Readiness:
        """How much of one generation's current version another one of the same collection has.

        Raises UsageError, CollectionNotFound, SnapshotNotFound, VersionUnreadable.
        """
        if collection_of(self._collections.known(name)) != collection_of(self._collections.known(other)):
            raise UsageError(f"{name} and {other} are no generations of one collection: nothing of them is alike")
        manifests = []
        for one in (name, other):
            if (manifest := self._manifest(self._collections.head(one))) is None:
                raise SnapshotNotFound(f"{one} has no snapshot yet: there is nothing to compare")
            manifests.append(manifest)
        with unreadable("the receipts of a generation cannot be read"):
            return readiness(self._services.bucket, *manifests)

    # Beginning

    def to_begin(self, collection: str, *, model: str, dimension: int, shards: int | None = None) -> RenewalPlan:
        """What a renewal would take. Raises UsageError for a model that there is or that is none, GenerationUnready
        while there is another generation beside, SnapshotNotFound, VersionUnreadable."""
        now = self._generations(collection)
        if not model.strip() or model != model.strip() or not model.isprintable():
            raise UsageError("give the model's name as runs will say it in their attribute: without spaces around it")
        beside = self._begun(now, model, dimension)
        if beside is None and now.beside is not None:
            raise GenerationUnready(
                f"{collection} has {now.beside} beside {now.serving}: `compaction renew {collection}` shows both,"
                " --finish keeps up what serves"
            )
        if beside is None and self._collections.model(now.serving) == model:
            raise UsageError(f"{now.serving} has the model {model} already: give the new one's name")
        manifest = self._manifest(self._collections.head(now.serving))
        if manifest is None:
            raise SnapshotNotFound(f"{now.serving} has no snapshot yet: a first model needs no renewal")
        return plan_renewal(
            manifest,
            collection=collection,
            receipts=len(self._stored.receipts(manifest)),
            generation=beside or generation_name(collection, now.newest + 1),
            model=model,
            dimension=dimension,
            shards=number_of_shards(shards or manifest.shard_count),
        )

    def begin(self, plan: RenewalPlan, progress: Callable[[int], None] | None = None) -> Begun:
        """Make the generation, mark every receipt of the table in it, start an execution of it.

        May be repeated when it broke off: what was begun with the same model is gone on with. Raises as `to_begin`
        does, and TransientServiceError.
        """
        now = self._generations(plan.collection)
        name = self._begun(now, plan.model, plan.dimension)
        if name is None:
            try:
                made = self._services.control.generations(plan.collection).begin(
                    model=plan.model,
                    dimension=plan.dimension,
                    shards=plan.shards,
                    now=self._services.now().isoformat(),
                )
            except GenerationRefused as error:
                raise GenerationUnready(str(error)) from error
            name = generation_name(plan.collection, made.newest)
        marked = self._collections.reconcile([name], progress=progress)
        return Begun(name, marked, self._executions.start(name))

    # Switching

    def to_switch(self, collection: str, generation: str | None = None) -> tuple[Renewal, GenerationNow]:
        """How it stands, and the generation that may serve: by default the one beside.

        Raises GenerationUnready for one that cannot.
        """
        found = self.stands(collection)
        if (name := generation or found.beside) is None:
            raise GenerationUnready(
                f"{collection} has no generation beside {found.serving}:"
                f" `compaction renew {collection} --model NAME --dimension D` begins one"
            )
        one = found.of(name)
        if one.serves:
            raise GenerationUnready(f"{name} serves {collection} already: nothing was switched")
        if not one.version:
            raise GenerationUnready(f"{name} has no snapshot yet: it cannot serve before its first publication")
        return found, one

    def switch(self, collection: str, generation: str, *, when_complete: bool = False) -> str:
        """Start the execution that switches; returns its ARN."""
        if when_complete:
            return self._executions.start(collection, "switch", generation=generation, when_complete=True)
        return self._executions.start(collection, "switch", generation=generation)

    def awaited(self, found: Renewal) -> GenerationNow:
        """The generation that a switch may wait for. Raises GenerationUnready when there is none beside."""
        if found.beside is None:
            raise GenerationUnready(f"there is no generation beside {found.serving}: none can be complete")
        return found.of(found.beside)

    def switch_when_complete(self, collection: str, generation: str) -> None:
        """Let the schedule switch, as soon as every receipt of what serves is in it. Raises GenerationUnready."""
        if self._generations(collection).beside != generation:
            raise GenerationUnready(f"{generation} is not beside what serves {collection}: look again")
        now = self._services.now().isoformat(timespec="seconds")
        self._services.control.generations(collection).switch_when_complete(generation, now=now)

    # Finishing

    def to_finish(self, collection: str) -> Renewal:
        """What would be left. Raises GenerationUnready when there is only one."""
        found = self.stands(collection)
        if found.beside is None:
            raise GenerationUnready(f"only {found.serving} of {collection} is kept up: there is nothing to finish")
        return found

    def finish(self, collection: str) -> Renewal:
        """Keep up only what serves; there is no way back from then on. Raises GenerationUnready."""
        found = self.to_finish(collection)
        try:
            self._services.control.generations(collection).finish(found.serving)
        except GenerationRefused as error:
            raise GenerationUnready(str(error)) from error
        return self.stands(collection)

    def _generations(self, collection: str) -> Generations:
        if collection_of(self._collections.known(collection)) != collection:
            raise UsageError(f"{collection} is a generation: a renewal is of {collection_of(collection)}")
        return self._collections.generations(collection)

    def _begun(self, now: Generations, model: str, dimension: int) -> str | None:
        """The generation beside, when it was begun for this model and has nothing published yet."""
        head = self._collections.head(now.beside) if now.beside else None
        same = head is not None and (head.model, head.dimension, head.version) == (model, dimension, 0)
        return now.beside if same else None

    def _one(self, name: str, head: Head | None, manifest: Manifest | None, now: Generations) -> GenerationNow:
        control = self._services.control
        made = head.dimension if head else None
        return GenerationNow(
            name=name,
            model=head.model if head else "",
            dimension=manifest.dimension if manifest and manifest.dimension else made,
            serves=name == now.serving,
            version=head.version if head else 0,
            records=manifest.records if manifest else 0,
            pending=control.pending(name).backlog(self._services.now().isoformat()).count,
            quarantined=len(control.quarantine(name).list()),
            paused=head.paused if head else None,
        )

    def _manifest(self, head: Head | None) -> Manifest | None:
        return self._stored.manifest(head.pointer) if head is not None and head.pointer is not None else None


def _are(some: tuple[GenerationNow, ...]) -> str:
    return "is" if len(some) == 1 else "are"
