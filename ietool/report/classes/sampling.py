"""Which texts a report holds where it cannot hold all: of every class of errors its share, by turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def by_turns(classes: Mapping[int, Sequence[str]], seed: int = 2019) -> list[int]:
    """All numbers in the order in which they are taken: one of each class in turn, the rarest class first, and within
    a class by chance; a number that has several classes is taken for the first that comes to it.

    Args:
        classes: number of a text → its classes, one at least.
    """
    queues: dict[str, list[int]] = {}
    for number, names in classes.items():
        for name in names:
            queues.setdefault(name, []).append(number)
    random = Random(seed)
    waiting: deque[deque[int]] = deque()
    for _, numbers in sorted(queues.items(), key=lambda entry: (len(entry[1]), entry[0])):
        random.shuffle(numbers)
        waiting.append(deque(numbers))
    taken: dict[int, None] = {}
    while waiting:
        queue = waiting.popleft()
        while queue and queue[0] in taken:
            queue.popleft()
        if queue:
            taken[queue.popleft()] = None
            waiting.append(queue)
    return list(taken)


def within(
    numbers: Sequence[int], make: Callable[[int], T], size: Callable[[T], int], texts: int, room: int
) -> list[T]:
    """What is made of the first numbers, at most so many and of so many bytes, in the order of the numbers.

    Args:
        numbers: in the order in which they are taken.
        make: of a number.
        size: in bytes.
    """
    made: list[tuple[int, T]] = []
    for number in numbers[:texts]:
        one = make(number)
        if size(one) > room:  # a long one takes no place from those behind it
            continue
        room -= size(one)
        made.append((number, one))
    return [one for _, one in sorted(made, key=lambda pair: pair[0])]
