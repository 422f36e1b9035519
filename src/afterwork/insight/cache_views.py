"""The part of `Insight` about caches."""

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
"""The most caches that `impact` returns."""


class CacheInsight(InsightBase):
    """Reads the states of caches, what they read, and who reads them."""

    def caches(self) -> Sequence[CacheSummary]:
        """Return each cache over all objects: counts by state, causes, and the progress of its backfill."""
        with self._reading() as connection:
            return caches.summaries(connection, self._model, self._clock.now())

    def cache(self, name: str) -> CacheSummary:
        """Return one cache over all objects, such as `Customer.total`. Raises `BadRequest` if there is none."""
        with self._reading() as connection:
            return caches.summary(connection, self._model, name, self._clock.now())

    def caches_of(self, name: str, state: State | None = None, after: str | None = None) -> ListPage[CacheLine]:
        """Return a page of the objects of one cache, all or those in one state.

        `after` is the `next` of the previous page. Raises `BadRequest` for an unknown cache or a malformed `after`.
        """
        with self._reading() as connection:
            return cache_list.caches_of(connection, name, state, after)

    def explain(self, root: str, cache: str) -> Explanation:
        """Explain one cache of one object: its state, its last run and its cause.

        Works for a deleted object, too: `("Customer!42", "total")`. Raises `BadRequest` and `MalformedExternalId`.
        """
        with self._reading() as connection:
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            derivation = self._model.derivation_in(class_of(root, self._model.classes).class_, cache)
            return explainer.explain(connection, explainer.matcher.registry.of(derivation), root)

    def around(self, root: str, cache: str) -> Dependencies:
        """Return what one cache of one object has read, and who reads it.

        Raises `BadRequest` and `MalformedExternalId`.
        """
        with self._reading() as connection:
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            derivation = self._model.derivation_in(class_of(root, self._model.classes).class_, cache)
            registered = explainer.matcher.registry.of(derivation)
            return DependencyFinder(explainer, MemberNames(self._model)).around(connection, registered, root)

    def impact(self, root: str, member: str) -> Sequence[Reader]:
        """Return the caches that become stale if a member of an object changes, and those that may follow.

        Returns at most `MAX_IMPACT`, the nearest first. Raises `BadRequest` and `MalformedExternalId`.
        """
        with self._reading_object(root) as (session, obj):
            connection = session.connection()
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            return explainer.impact(connection, obj, member, MAX_IMPACT)
