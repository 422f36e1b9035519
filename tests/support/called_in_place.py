"""Events of a server that calls its listeners where things happen, so that they can strike or hold it there."""

from afterwork.events import Events, Listener


class CalledInPlace(Events):
    def of_server(self, *own: Listener) -> Events:
        events: Events = self
        for listener in own:
            events = events.also(listener)
        return events
