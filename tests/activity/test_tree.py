"""Each waiting session once, roots first, and no shape of waiting hangs it."""

import time

from apps.activity.reads.tree import Node, tree


def drawn(edges: dict[int, list[int]]) -> list[str]:
    return [f"{'  ' * node.depth}{node.pid}" for node in tree(edges)]


def by_pid(edges: dict[int, list[int]]) -> dict[int, Node]:
    return {node.pid: node for node in tree(edges)}


def test_nobody_waits() -> None:
    assert tree({}) == ()


def test_those_queued_before_are_left_out_where_they_wait_themselves() -> None:
    assert drawn({2: [1], 3: [1, 2], 4: [3, 2, 1]}) == ["1", "  2", "    3", "      4"]


def test_a_session_named_twice_is_one() -> None:
    assert drawn({2: [1, 1, 1]}) == ["1", "  2"]


def test_a_diamond_is_drawn_once_and_names_the_other_blocker() -> None:
    edges = {2: [1], 3: [1], 4: [2, 3]}
    assert drawn(edges) == ["1", "  2", "    4", "  3"]
    assert by_pid(edges)[4].also_behind == (3,)
    assert by_pid(edges)[1].victims_count == 3
    assert by_pid(edges)[3].victims_count == 1


def test_two_roots_that_block_one_session() -> None:
    edges = {3: [1, 2], 4: [2]}
    assert drawn(edges) == ["2", "  3", "  4", "1"]
    assert by_pid(edges)[3].also_behind == (1,)


def test_the_root_with_most_victims_comes_first() -> None:
    assert drawn({11: [1], 12: [2], 13: [2]}) == ["2", "  12", "  13", "1", "  11"]


def test_a_prepared_transaction_is_a_root_like_any_other() -> None:
    assert drawn({5: [0], 6: [5, 0]}) == ["0", "  5", "    6"]


def test_a_cycle_is_drawn_once_and_said() -> None:
    nodes = tree({1: [2], 2: [1], 3: [2]})
    assert sorted(node.pid for node in nodes) == [1, 2, 3]
    assert {node.pid for node in nodes if node.in_cycle} == {1, 2}


def test_a_cycle_of_three_behind_a_root() -> None:
    assert drawn({1: [2, 9], 2: [3], 3: [1]}) == ["9", "  1", "    3", "      2"]


def test_a_session_that_waits_for_itself_alone_is_no_wait() -> None:
    assert tree({7: [7]}) == ()


def test_five_hundred_sessions_in_one_queue() -> None:
    begun = time.monotonic()
    nodes = tree({pid: list(range(pid)) for pid in range(1, 500)})
    assert [node.depth for node in nodes] == list(range(500))
    assert nodes[0].victims_count == 499
    assert time.monotonic() - begun < 2
