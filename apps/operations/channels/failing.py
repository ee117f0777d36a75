from __future__ import annotations


class NotDelivered(Exception):
    """One try failed. Its text is shown and logged: never an address, a body or what the other side wrote.

    `for_good` when another try would fail as well; `wait_s` what the other side asked to wait.
    """

    def __init__(self, words: str, *, for_good: bool = False, wait_s: int = 0) -> None:
        super().__init__(words)
        self.for_good = for_good
        self.wait_s = wait_s
