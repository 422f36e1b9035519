"""The part of `Insight` that tells of caches."""

from collections.abc import Sequence

from afterwork.derived.compute.assembly import matcher_of
from afterwork.derived.explain.explainer import CacheLine, Explainer, Explanation, Reader, State
from afterwork.insight import cache_list, caches
from afterwork.insight.caches import CacheSummary
from afterwork.insight.dependencies import Dependencies, DependencyFinder
from afterwork.insight.member_names import MemberNames
from afterwork.insight.page import ListPage
from afterwork.insight.reading import InsightBase
from afterwork.model.external_id import class_of

MAX_IMPACT = 200
"""Caches that are followed from a member."""


class CacheInsight(InsightBase):
    """How caches stand, what they have read, and who reads them."""

    def caches(self) -> Sequence[CacheSummary]:
        """All caches, over all objects: how many are fresh, stale, failed, why, and how far filling has come."""
        with self._reading() as connection:
            return caches.summaries(connection, self._model, self._clock.now())

    def cache(self, name: str) -> CacheSummary:
        """One cache over all objects, by name: `Customer.total`. Raises `BadRequest` if there is none."""
        with self._reading() as connection:
            return caches.summary(connection, self._model, name, self._clock.now())

    def caches_of(self, name: str, state: State | None = None, after: str | None = None) -> ListPage[CacheLine]:
        """A page of the caches of one definition, all or those in one state. `after` is the `next` of the page before.
        Raises `BadRequest`."""
        with self._reading() as connection:
            return cache_list.caches_of(connection, name, state, after)

    def explain(self, root_id: str, name: str) -> Explanation:
        """What is known of a cache of an object, also of one that is gone: `("Customer!42", "total")`. Raises
        `BadRequest` and `MalformedExternalId`."""
        with self._reading() as connection:
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            cache = self._model.derivation_in(class_of(root_id, self._model.classes).class_, name)
            return explainer.explain(connection, explainer.matcher.registry.of(cache), root_id)

    def around(self, root_id: str, name: str) -> Dependencies:
        """What a cache of an object has read, and who reads it. Raises `BadRequest` and `MalformedExternalId`."""
        with self._reading() as connection:
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            cache = self._model.derivation_in(class_of(root_id, self._model.classes).class_, name)
            definition = explainer.matcher.registry.of(cache)
            return DependencyFinder(explainer, MemberNames(self._model)).around(connection, definition, root_id)

    def impact(self, root_id: str, member: str) -> Sequence[Reader]:
        """The caches that become stale if a member of an object changes, and those that may follow: `MOST_IMPACT` of
        them, the first ones first. Raises `BadRequest` and `MalformedExternalId`."""
        with self._reading_object(root_id) as (session, obj):
            connection = session.connection()
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            return explainer.impact(connection, obj, member, MAX_IMPACT)
