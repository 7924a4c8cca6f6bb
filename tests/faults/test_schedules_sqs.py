"""The queue of the schedules keeps SQS's terms for a standard queue."""

import pytest

from tests.faults.rules import Place
from tests.faults.schedules.mail import BODIES, KEYS
from tests.faults.schedules.sqs import KEPT, VISIBILITY, QueueMessage, Sqs
from tests.unit.fakes.clock import FakeClock

KEY = KEYS[0]


class Post:
    """A queue that allows two receives, with one message, and its clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sqs = Sqs(self.clock)
        self.sqs.max_receives = 2
        self.message: QueueMessage = self.sqs.put(KEY, BODIES[KEY])

    @property
    def place(self) -> Place:
        """Where the message is."""
        return self.sqs.place(self.message)


@pytest.fixture
def post() -> Post:
    """A message that waits on the queue."""
    return Post()


def test_a_received_message_is_hidden_until_its_visibility_ends(post: Post) -> None:
    """In flight it is not received again, unless SQS makes a mistake; then it is on the queue."""
    assert [post.message] == post.sqs.visible
    post.sqs.receive(post.message)
    assert (Place.IN_FLIGHT, []) == (post.place, post.sqs.visible)
    post.clock.advance(VISIBILITY)
    assert (Place.ON_QUEUE, [post.message]) == (post.place, post.sqs.visible)


def test_a_beat_shrinks_the_visibility_and_keeps_it_up(post: Post) -> None:
    """Each beat counts anew from when it came."""
    post.sqs.receive(post.message)
    assert frozenset() == post.sqs.extend({"message-1": post.message.handle})
    post.clock.advance(KEPT)
    assert Place.ON_QUEUE is post.place


def test_the_handle_of_an_earlier_delivery_hides_nothing(post: Post) -> None:
    """A stale handle is told by a heartbeat, and without effect when a message is put back."""
    post.sqs.receive(post.message)
    stale = post.message.handle
    post.sqs.receive(post.message)
    assert frozenset({"message-1"}) == post.sqs.extend({"message-1": stale})
    post.sqs.show_again({stale: 0})
    assert Place.IN_FLIGHT is post.place


def test_receives_used_up_make_a_dead_letter(post: Post) -> None:
    """The receive after the last one delivers nothing; a redrive begins anew."""
    assert [True, True, False] == [post.sqs.receive(post.message) for _ in range(3)]
    assert Place.DEAD is post.place
    post.sqs.redrive(post.message)
    [again] = post.sqs.messages
    assert (0, "message-2", Place.ON_QUEUE) == (
        again.receives,
        again.message_id,
        post.sqs.place(again),
    )


def test_a_deleted_message_may_be_delivered_once_more(post: Post) -> None:
    """SQS delivers at least once: a copy that missed the delete comes back."""
    post.sqs.receive(post.message)
    post.sqs.delete(post.message.handle)
    places = [post.place]
    post.sqs.receive(post.message)
    assert [Place.DELETED, Place.IN_FLIGHT] == [*places, post.place]
