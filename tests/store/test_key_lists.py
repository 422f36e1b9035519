"""Lists of keys have few lengths, so that few texts of statements exist, however many keys there are."""

import pytest

from afterwork.store.key_lists import padded
from tests.conftest import Shop
from tests.support.tickets_run import statements_of_running


def test_lists_have_the_same_keys_and_few_lengths() -> None:
    lists = {count: padded(range(count)) for count in range(1001)}

    assert all(sorted(set(keys)) == list(range(count)) for count, keys in lists.items())
    assert all(len(keys) <= max(1, 2 * count) for count, keys in lists.items())
    assert len({len(keys) for keys in lists.values()}) < 20


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_batches_of_several_sizes_send_the_same_texts(the_shop: Shop) -> None:
    texts = [
        {
            text
            for text in statements_of_running(the_shop, count, "touch")
            if " IN (" in text and "sys_async_ticket" in text
        }
        for count in (5, 6, 8)
    ]

    assert texts[0]
    assert texts[0] == texts[1] == texts[2]
